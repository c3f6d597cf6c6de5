"""The one reader: every variable is known, said once, and means something.

A name that nobody reads, a word that means nothing and a setting with two values are
mistakes of an operator who believes that they count: each is refused, with what was meant.
A file of settings only adds to the environment.
"""

import os
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import field, fields
from datetime import timedelta
from difflib import get_close_matches
from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path
from typing import Any, Final
from unicodedata import category

from idp.settings.networks import network_of

UNSAID: Final = object()
"""What ``Variables.read`` returns where a variable is not set, or can't be read."""

TRUE: Final = ("1", "true", "yes", "on")
FALSE: Final = ("0", "false", "no", "off")
PREFIX: Final = "IDP_"
UNITS: Final = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86400}
"""The seconds of each unit of a duration."""
ELSEWHERE: Final = frozenset({"IDP_ENV_FILE"})
"""Read by the command line, before the settings."""

# Kubernetes sets these in every container beside a service called "idp" or "idp-…", say.
_SERVICE_LINK = re.compile(
    r"[A-Z0-9]+_(?:[A-Z0-9]+_)*(?:SERVICE_HOST|SERVICE_PORT(?:_[A-Z0-9_]+)?|PORT_\d+_(?:TCP|UDP)(?:_[A-Z]+)?)"
)
_SERVICE_ADDRESS = re.compile(r"(?:tcp|udp)://\S+")

_UNFIT: Final = frozenset({"Cc", "Zl", "Zp", "Cs"})
"""What a line can't hold: controls and line ends, and bytes that were no UTF-8."""

_LINE = re.compile(r"(?:export\s+)?([A-Za-z_][A-Za-z0-9_]*)\s*=\s*(.*)", re.DOTALL)

Parse = Callable[[str], Any]

from_file: set[str] = set()
"""The variables that came from a file: whoever starts this program anew lets it read them anew."""


def setting(default: Any, help: str, parse: Parse | None = None, unit: str = "") -> Any:
    """The field of a dataclass that is one setting: ``parse`` makes the value of its text, which
    is taken as it is without one.
    """
    metadata = {"help": help, "parse": parse or words, "unit": unit}
    if callable(default):
        return field(default_factory=default, metadata=metadata)
    return field(default=default, metadata=metadata)


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

    def values(self, kind: type[Any], variable: Callable[[str], str]) -> dict[str, Any]:
        """What is said of the settings of a dataclass; ``variable`` names that of each field."""
        read = {
            each.name: self.read(variable(each.name), each.metadata["parse"])
            for each in fields(kind)
            if each.metadata.get("parse")
        }
        return {name: value for name, value in read.items() if value is not UNSAID}

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


def duration(text: str) -> timedelta:
    """A duration: whole seconds, or a number with its unit: ``90``, ``20m``, ``8h``, ``14d``."""
    match = re.fullmatch(r"(-?[0-9]{1,18})([smhd]?)", text.strip())
    if match is None:
        raise ValueError(
            f"{_shown(text)} is no whole number of seconds, nor one with a unit: 90s, 20m, 8h, 14d"
        )
    try:
        return timedelta(seconds=int(match[1]) * UNITS[match[2]])
    except OverflowError as error:
        raise ValueError(f"{_shown(text)} is longer than time goes") from error


def words(text: str) -> str:
    """Words as they are, without white space around them; on one line, as headers want them.

    Spaces that do not break are words of French, and signs that nobody sees are other languages'.
    """
    if any(category(character) in _UNFIT for character in text.strip()):
        raise ValueError("holds a line end or another control character")
    return text.strip()


def some_words(text: str) -> str:
    """Words that must say something."""
    if not text.strip():
        raise ValueError("is empty")
    return words(text)


def header(text: str) -> str:
    """The name of an HTTP header (RFC 9110 §5.1), or nothing."""
    if text.strip() and not re.fullmatch(r"[A-Za-z0-9_-]+", text.strip()):
        raise ValueError(f"{_shown(text)} is no name of a header")
    return text.strip()


def readable(text: str) -> Path:
    """A file that is there to be read."""
    file = path(text)
    with file.open("rb"):
        return file


def path(text: str) -> Path:
    """A file or folder, which an empty text does not name."""
    if not text.strip():
        raise ValueError("is empty: it names no file or folder")
    return Path(text.strip())


def one_of(*allowed: str) -> Callable[[str], str]:
    """One of these words, in whichever case it is typed."""
    spelled = {word.lower(): word for word in allowed}

    def parse(text: str) -> str:
        known = spelled.get(text.strip().lower())
        if known is None:
            raise ValueError(f"{_shown(text)} is none of {', '.join(allowed)}")
        return known

    return parse


def networks(text: str) -> tuple[IPv4Network | IPv6Network, ...]:
    """Networks or addresses, separated by commas."""
    return tuple(network_of(part.strip()) for part in text.split(",") if part.strip())


def listed(text: str) -> tuple[str, ...]:
    """Words, separated by commas."""
    return tuple(part.strip() for part in text.split(",") if part.strip())


def hosts(text: str) -> tuple[str, ...]:
    """Hosts, domains that begin with a dot, and networks, separated by commas."""
    return tuple(_host(part.strip().lower()) for part in text.split(",") if part.strip())


def _host(text: str) -> str:
    try:
        return str(ip_network(text))
    except ValueError:
        if not re.fullmatch(r"\.?[a-z0-9_]([a-z0-9_.-]*[a-z0-9_])?", text) or "/" in text:
            raise ValueError(f"{_shown(text)} is no host, domain or network") from None
        return text


def load_file(path: Path) -> None:
    """Set every variable of the file that the environment does not set yet, in either way.

    Raises ``OSError``, or ``ValueError`` naming the line (never its text: it may hold a secret).
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise ValueError("it is not UTF-8 text") from error
    added = {
        name: value
        for name, value in parse_file(text).items()
        if os.environ.keys().isdisjoint((name, f"{name}_FILE", name.removesuffix("_FILE")))
    }
    os.environ.update(added)
    from_file.update(added)


def parse_file(text: str) -> dict[str, str]:
    """The variables of a file of ``KEY=VALUE`` lines, as systemd's EnvironmentFile and Docker read
    them; blank lines and lines that begin with ``#`` don't count.
    """
    values: dict[str, str] = {}
    for number, raw in enumerate(text.splitlines(), 1):
        line = raw.strip()
        if not line or line.startswith("#"):
            continue
        match = _LINE.fullmatch(line)
        if match is None or "\0" in line:
            raise ValueError(f"line {number} is not KEY=VALUE")
        value = _unquoted(match[2].strip())
        if values.setdefault(match[1], value) != value:
            raise ValueError(f"line {number} says {match[1]} again: which one counts?")
    return values


def _unquoted(value: str) -> str:
    if len(value) >= 2 and value[0] == value[-1] and value[0] in "\"'":
        return value[1:-1]
    return value


def _is_elsewhere(name: str, text: str) -> bool:
    return name in ELSEWHERE or is_service_link(name, text)


def is_service_link(name: str, text: str) -> bool:
    """Whether Kubernetes has set a variable, for a service whose name begins as ours do."""
    return bool(_SERVICE_LINK.fullmatch(name) or _SERVICE_ADDRESS.fullmatch(text))


def _shown(text: str) -> str:
    return repr(text.strip()[:40]) if text.strip() else "an empty text"
