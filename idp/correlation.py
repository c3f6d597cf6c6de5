"""Who is asking, from where, under which correlation id: for logs and the audit log."""

import secrets
from contextvars import ContextVar
from dataclasses import dataclass, field


@dataclass
class Correlation:
    """One request or command. ``address`` is the client's, already free of untrusted proxies."""

    id: str = field(default_factory=lambda: secrets.token_hex(8))
    address: str | None = None
    actor: str = ""
    client: object = None
    """The application whose request it is, once that is known."""


_current: ContextVar[Correlation | None] = ContextVar("correlation", default=None)


def begin(*, address: str | None = None, actor: str = "") -> Correlation:
    """Start a new correlation for this thread of work and return it."""
    correlation = Correlation(address=address, actor=actor)
    _current.set(correlation)
    return correlation


def current() -> Correlation:
    """The correlation of this thread of work; begins one where there is none."""
    return _current.get() or begin()
