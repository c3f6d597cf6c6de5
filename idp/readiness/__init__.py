"""Whether the provider can serve at all: the schema is this version's, the keys can sign."""

from contextlib import suppress
from dataclasses import dataclass

from sqlalchemy.exc import SQLAlchemyError

from idp.audit import continuity
from idp.credentials import peppers
from idp.database import db, hashes
from idp.oidc.keyring import keyring
from idp.oidc.keys import NEEDED
from idp.readiness import agreement, revisions


class NotReady(Exception):
    """The provider can't serve as it stands; the text says why and what to do."""


@dataclass(frozen=True)
class Schema:
    """The revision of the database, None where it is empty, and the newest one."""

    current: str | None
    newest: str | None

    known: frozenset[str] = frozenset()
    """The revisions that this version knows."""

    @property
    def up_to_date(self) -> bool:
        return self.current == self.newest

    @property
    def serves(self) -> bool:
        """Whether this version can work with it: its own schema, or one that is newer.

        In a rolling upgrade the schema is widened first, while old workers go on (rule R12).
        """
        return self.up_to_date or (self.current is not None and self.current not in self.known)


def schema() -> Schema:
    """Compare the database with the migrations of this version."""
    with db.engine.connect() as connection:
        return Schema(revisions.current(connection), revisions.newest(), revisions.known())


def refuse_unready() -> None:
    """Raise ``NotReady``, ``KeyTrouble``, ``HistoryTrouble`` or ``Disagreement`` where nobody may
    be answered. The first machine to come here says what all must have alike.
    """
    for alg in NEEDED:
        keyring().signing_key(alg)
    refuse_other_schema()
    continuity.refuse_other_history()
    agreement.join()


def read_beginnings() -> None:
    """Which secrets the installation began with, before anybody is served: requests that all hold
    a connection of the pool would wait for one more to ask for it.
    """
    with suppress(SQLAlchemyError):  # the first one that needs it asks again
        hashes.known()
        peppers.known()


def refuse_other_schema() -> None:
    """Raise ``NotReady`` where the database is not at the schema of this version."""
    state = schema()
    if not state.serves:
        raise NotReady(
            f"the database is at schema {state.current or '(none)'}, this version needs "
            f"{state.newest}: run `idp db upgrade`"
        )
