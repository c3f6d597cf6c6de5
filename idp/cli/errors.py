"""Every error that a command can meet, as one sentence for the person at the terminal."""

import logging

import click
from sqlalchemy import exc

from idp import logs
from idp.cli import refusals
from idp.errors import Conflict, Invalid, NotFound, Throttled
from idp.settings import UnsafeSettings

log = logging.getLogger(__name__)

LONGEST_SENTENCE = 600

_WEAK = {
    "too_short": "the password is too short: at least {minimum} characters",
    "too_long": "the password is too long: at most {maximum} characters",
    "common": "the password is one of the most common ones",
    "contains_name": "the password holds the person's own name or words",
    "easily_guessed": "the password is easily guessed",
}


class BadInput(click.ClickException):
    """What was typed, read or found can't be worked with; ends the command with code 2."""

    exit_code = 2


def sentence(error: Exception) -> str:
    """Say in one line what went wrong; no traceback, no secret, no control character."""
    return logs.one_line(_words(error))[:LONGEST_SENTENCE]


def _words(error: Exception) -> str:
    match error:
        case click.UsageError():
            return _usage(error)
        case click.ClickException():
            return error.format_message()
        case UnsafeSettings():
            return f"these settings are unsafe: {'; '.join(error.problems)} (see `idp check`)"
        case exc.SQLAlchemyError():
            return logs.redacted(_database(error))
        case Invalid() | NotFound() | Conflict() | Throttled():
            return refusals.sentence(error)
    # What nobody wrote for this terminal may quote rows, addresses and secrets.
    return _typed(error) or logs.redacted(_unexpected(error))


def _usage(error: click.UsageError) -> str:
    path = error.ctx.command_path if error.ctx else "idp"
    return f"{error.format_message()} (see `{path} --help`)"


def _database(error: exc.SQLAlchemyError) -> str:
    if isinstance(error, (exc.ArgumentError, exc.NoSuchModuleError)):
        return "DATABASE_URL is not the address of an SQLite or PostgreSQL database"
    reason = str(getattr(error, "orig", None) or error).strip().splitlines()[0]
    if _lacks_tables(error):
        return f"the database is not at this version's schema: run `idp db upgrade` ({reason})"
    if isinstance(error, exc.IntegrityError):
        return "the database refused a contradiction (did somebody else just make the same?)"
    if isinstance(error, (exc.OperationalError, exc.InterfaceError, exc.TimeoutError)):
        return f"the database can't be reached: {reason}"
    log.debug("database error", exc_info=error)
    return f"the database refused this: {reason}"


def _lacks_tables(error: exc.SQLAlchemyError) -> bool:
    # 42P01 undefined_table, 42703 undefined_column (PostgreSQL, appendix A)
    original = getattr(error, "orig", None)
    words = str(original)
    return (
        getattr(original, "sqlstate", None) in {"42P01", "42703"}
        or "no such table" in words
        or "no such column" in words
    )


def _typed(error: Exception) -> str | None:
    """The sentence of a service's own error, or of the machine's."""
    # Imported when something went wrong: `idp --help` should not wait for all of it.
    from idp.audit.continuity import HistoryTrouble
    from idp.backup.troubles import BackupTrouble
    from idp.credentials.bcrypt_gate import Busy
    from idp.credentials.strength import WeakPassword
    from idp.oidc.keys import KeyTrouble
    from idp.readiness import NotReady
    from idp.readiness.agreement import Disagreement

    match error:
        case ModuleNotFoundError():
            return f"Python's {error.name} is missing; is DATABASE_URL one of SQLite or PostgreSQL?"
        case OSError():
            where = f": {error.filename}" if error.filename else ""
            return f"{error.strerror or type(error).__name__}{where}"
        case WeakPassword():
            return _WEAK[error.code].format(**error.params)
        case BackupTrouble():
            return logs.redacted(str(error))
        case KeyTrouble() | HistoryTrouble() | NotReady() | Busy():
            return str(error)
        case Disagreement():
            return str(error)
    return None


def _unexpected(error: Exception) -> str:
    log.debug("unexpected error", exc_info=error)
    return (
        f"this should not happen: {type(error).__name__}: {error} (IDP_LOG_LEVEL=DEBUG shows where)"
    )
