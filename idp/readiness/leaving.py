"""A server that is about to stop: it goes on serving for a while, and says so.

Whoever asks ``/health/ready`` sends nobody here any more, unless another server is at the same
port already. Each answer closes its connection, so
that a proxy's kept ones are gone before the server is: a request that comes on one just as it
closes would be lost (RFC 9112 §9.6).
"""

from collections.abc import Callable, Iterable
from mmap import mmap
from typing import Any, Final

Application = Callable[..., Iterable[bytes]]

_state: Final = mmap(-1, 1)
"""One byte that a process shares with all that it forks."""


_STOPS: Final = 1
_IS_REPLACED: Final = 2


def begin(*, replaced: bool = False) -> None:
    """From now on this process and its workers are leaving; ``replaced``: by others, here.

    Who was told to stop stays told, whoever comes after.
    """
    if not leaves_nobody():
        _state[0] = _IS_REPLACED if replaced else _STOPS


def begun() -> bool:
    """Whether this server is about to stop."""
    return bool(_state[0])


def leaves_nobody() -> bool:
    """Whether requests should not come here any more."""
    return _state[0] == _STOPS


class LastAnswers:
    """WSGI middleware: closes each connection behind its answer, once the server is leaving."""

    def __init__(self, application: Application) -> None:
        self.application = application

    def __call__(
        self, environ: dict[str, Any], start_response: Callable[..., Any]
    ) -> Iterable[bytes]:
        def answer(status: str, headers: list[tuple[str, str]], *rest: Any) -> Any:
            if begun():  # by now, not only when it was asked
                headers = [each for each in headers if each[0].lower() != "connection"]
                headers.append(("Connection", "close"))
            return start_response(status, headers, *rest)

        return self.application(environ, answer)
