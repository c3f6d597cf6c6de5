"""The environment, read strictly: every variable is known, said once, and means something.

A name that nobody reads, a word that means nothing and a value that is said twice are
mistakes of an operator who believes that they count: each is refused, with what was meant.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from datetime import timedelta
from difflib import get_close_matches
from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path
from typing import Any, Final

UNSAID: Final = object()
"""What ``Variables.read`` returns where a variable is not set, or can't be read."""

TRUE: Final = ("1", "true", "yes", "on")
FALSE: Final = ("0", "false", "no", "off")
PREFIX: Final = "IDP_"
ELSEWHERE: Final = frozenset({"IDP_ENV_FILE"})
"""Read by the command line, before the settings."""

# Kubernetes sets these in every container beside a service called "idp" or "idp-…".
_SERVICE_LINK = re.compile(
    r"IDP_(?:[A-Z0-9]+_)*(?:SERVICE_HOST|SERVICE_PORT(?:_[A-Z0-9_]+)?|PORT_\d+_(?:TCP|UDP)(?:_[A-Z]+)?)"
)
_SERVICE_ADDRESS = re.compile(r"(?:tcp|udp)://\S+")

Parse = Callable[[str], Any]


class Variables:
    """The variables of one environment. ``problems`` holds a sentence for each mistake."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self.given = environment
        self.problems: list[str] = []
        self._known: set[str] = set()

    def read(self, name: str, parse: Parse) -> Any:
        """The value of ``name``, or of the file that ``<name>_FILE`` names; else ``UNSAID``."""
        self._known.add(name)
        try:
            text = self._text(name)
            return UNSAID if text is None else parse(text)
        except (ValueError, OverflowError, OSError) as error:
            reason = (error.strerror if isinstance(error, OSError) else None) or str(error)
            self.problems.append(f"{name}: {reason}")
            return UNSAID

    def know(self, names: Iterable[str]) -> None:
        """Names that are right, though nobody reads them now."""
        self._known.update(names)

    def refuse_unknown(self) -> None:
        """Note every variable of ours that nobody knows, with the name that was meant."""
        right = self._known | {f"{name}_FILE" for name in self._known}
        for name, text in self.given.items():
            if name in right or not name.upper().startswith(PREFIX) or _is_elsewhere(name, text):
                continue
            near = get_close_matches(name.upper(), sorted(right), n=1, cutoff=0.7)
            meant = f"; did you mean {near[0]}?" if near else "; see `idp check --settings`"
            self.problems.append(f"{name} is no setting{meant}")
        self._refuse_near(sorted(each for each in right if not each.startswith(PREFIX)))

    def _refuse_near(self, names: list[str]) -> None:
        # Names without our prefix may be another program's, unless ours is missing
        if any(name in self.given for name in names):
            return
        for name in self.given:
            if near := get_close_matches(name.upper(), names, n=1, cutoff=0.85):
                self.problems.append(f"{name} is no setting; did you mean {near[0]}?")

    def _text(self, name: str) -> str | None:
        file = self.given.get(f"{name}_FILE")
        if file is None:
            return self.given.get(name)
        if name in self.given:
            raise ValueError(f"{name}_FILE is set too: which one counts? Unset one of them")
        try:
            return Path(file).read_text(encoding="utf-8").strip()
        except UnicodeDecodeError as error:
            raise ValueError(f"the file {file} is not UTF-8 text") from error
        except OSError as error:
            raise ValueError(f"the file {file} can't be read: {error.strerror}") from error


def boolean(text: str) -> bool:
    """``1`` or ``0``, or a word for either; nothing else is taken for one of them."""
    word = text.strip().lower()
    if word not in TRUE + FALSE:
        raise ValueError(f"{_shown(text)} is none of {', '.join(TRUE + FALSE)}")
    return word in TRUE


def whole(text: str) -> int:
    """A whole number in plain digits: ``int`` would take ``1_0`` and ``٣`` too."""
    if not re.fullmatch(r"-?[0-9]{1,18}", text.strip()):
        raise ValueError(f"{_shown(text)} is no whole number")
    return int(text)


def seconds(text: str) -> timedelta:
    """A duration in whole seconds."""
    return timedelta(seconds=whole(text))


def words(text: str) -> str:
    """Words as they are, without white space around them."""
    return text.strip()


def path(text: str) -> Path:
    """A file or folder, which an empty text does not name."""
    if not text.strip():
        raise ValueError("is empty: it names no file or folder")
    return Path(text.strip())


def one_of(*allowed: str) -> Callable[[str], str]:
    """One of these words, in whichever case it is typed."""
    spelled = {word.lower(): word for word in allowed}

    def parse(text: str) -> str:
        found = spelled.get(text.strip().lower())
        if found is None:
            raise ValueError(f"{_shown(text)} is none of {', '.join(allowed)}")
        return found

    return parse


def networks(text: str) -> tuple[IPv4Network | IPv6Network, ...]:
    """Networks or addresses, separated by commas."""
    return tuple(ip_network(part.strip()) for part in text.split(",") if part.strip())


def _is_elsewhere(name: str, text: str) -> bool:
    linked = _SERVICE_LINK.fullmatch(name) or _SERVICE_ADDRESS.fullmatch(text)
    return name in ELSEWHERE or linked is not None


def _shown(text: str) -> str:
    return repr(text.strip()[:40]) if text.strip() else "an empty text"
