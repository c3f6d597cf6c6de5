"""A primary that was demoted: it answers, can be read, and takes no write any more.

Its connections look well, and what is read through them grows old: somebody else is the primary by
now, or nobody. So none of them is used again: the next one asks, of the machines that the address
names, for the one that takes writes (``target_session_attrs=read-write``).
"""

from typing import Final

from sqlalchemy import Engine, event, text
from sqlalchemy.engine import ExceptionContext

_READ_ONLY: Final = "25006"
_DISK_FULL: Final = "53100"
"""read_only_sql_transaction, disk_full (PostgreSQL, appendix A)"""


def refuses_writes(error: BaseException) -> bool:
    """Whether the database can only be read: a standby, a maintenance, a full disk."""
    return _state(getattr(error, "orig", None)) in {_READ_ONLY, _DISK_FULL}


def says_demoted(error: BaseException | None) -> bool:
    """Whether the driver's error says that this server is no primary (any more)."""
    return _state(error) == _READ_ONLY


def leave_if_demoted(engine: Engine) -> None:
    """Ask whether the server takes writes, and use none of its connections again where it doesn't:
    for a process that only reads, such as a worker without work. Raises ``SQLAlchemyError``.
    """
    if engine.dialect.name != "postgresql":
        return
    with engine.connect() as now:
        demoted = now.scalar(text("SHOW transaction_read_only")) == "on"
        if demoted:
            now.invalidate()
    if demoted:
        engine.dispose()


@event.listens_for(Engine, "handle_error")
def _leave(context: ExceptionContext) -> None:
    """Give up the connection, and all that were opened before it, as lost ones."""
    if says_demoted(context.original_exception):
        context.is_disconnect = True


def _state(error: BaseException | None) -> str | None:
    state: str | None = getattr(error, "sqlstate", None)
    return state
