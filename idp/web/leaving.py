"""A server that is about to stop: it goes on serving for a while, and says so.

Whoever asks ``/health/ready`` sends nobody here any more. Each answer closes its connection, so
that a proxy's kept ones are gone before the server is: a request that comes on one just as it
closes would be lost (RFC 9112 §9.6).
"""

from collections.abc import Callable, Iterable
from mmap import mmap
from typing import Any, Final

Application = Callable[..., Iterable[bytes]]

_told: Final = mmap(-1, 1)
"""One byte that a process shares with all that it forks."""


def begin() -> None:
    """From now on this process and its workers are leaving."""
    _told[0] = 1


def stay() -> None:
    """Take it back."""
    _told[0] = 0


def begun() -> bool:
    """Whether this server is about to stop."""
    return bool(_told[0])


class LastAnswers:
    """WSGI middleware: closes each connection behind its answer, once the server is leaving."""

    def __init__(self, application: Application) -> None:
        self.application = application

    def __call__(
        self, environ: dict[str, Any], start_response: Callable[..., Any]
    ) -> Iterable[bytes]:
        if not begun():
            return self.application(environ, start_response)

        def begin_last(status: str, headers: list[tuple[str, str]], *rest: Any) -> Any:
            others = [header for header in headers if header[0].lower() != "connection"]
            return start_response(status, [*others, ("Connection", "close")], *rest)

        return self.application(environ, begin_last)
