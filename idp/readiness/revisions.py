"""Which schemas this version knows, read from its migrations without running them.

Alembic would load itself and every migration into each worker that is asked whether it is ready:
14 MB, for two lines of each file.
"""

import re
from functools import cache
from typing import Final

from sqlalchemy import inspect, text
from sqlalchemy.engine import Connection

from idp.resources import folder

_TABLE: Final = "alembic_version"
_REVISION: Final = re.compile(r'^revision = "(\w+)"$', re.MULTILINE)
_FORMER: Final = re.compile(r'^down_revision = "(\w+)"$', re.MULTILINE)


@cache
def known() -> frozenset[str]:
    """The revisions that this version can make."""
    return frozenset(each for source in _sources() for each in _REVISION.findall(source))


@cache
def newest() -> str | None:
    """The one that comes after all others."""
    former = {each for source in _sources() for each in _FORMER.findall(source)}
    return next(iter(known() - former), None)


def current(connection: Connection) -> str | None:
    """The revision of a database; None where no migration has run."""
    if not inspect(connection).has_table(_TABLE):
        return None
    revision: str | None = connection.scalar(text(f"SELECT version_num FROM {_TABLE}"))  # noqa: S608
    return revision


def _sources() -> list[str]:
    versions = folder("idp.migrations") / "versions"
    return [each.read_text("utf-8") for each in versions.glob("[!_]*.py")]
