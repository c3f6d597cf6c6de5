"""What must be so of the rows whatever happened: crashes, races, a restore. Each is one statement
that finds what contradicts it, and the sentence that says so.

A proof of a backup asks all of them; ``idp check`` those that the database answers quickly.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import Select, Table, and_, exists, func, literal, select, text
from sqlalchemy.exc import DBAPIError

from idp.audit import removal
from idp.audit.models import AuditEvent, DatabaseIdentity
from idp.clients.models import Client
from idp.database import db, transaction
from idp.oidc.models import AccessToken, AuthorizationCode, Grant, RefreshToken
from idp.people import guardianships
from idp.people.models import Account, Child, Guardianship, School
from idp.people.search_index import DirectoryEntry
from idp.sessions.models import BrowserSession, ChildChoice

PATIENCE: Final = 3000
"""Milliseconds that a running database may take for one of them."""
_LIVE_GRANT: Final = Grant.ended_at.is_(None)
_LIVE_SESSION: Final = BrowserSession.ended_at.is_(None)
_OUTLIVES: Final = (" " + Grant.scope + " ").like("% offline_access %")


@dataclass(frozen=True)
class Invariant:
    """What must be so. ``broken``: a query of one column that yields a row for each contradiction,
    with the name that an operator may look it up by.
    """

    name: str
    sentence: str
    """What is so where it is broken, behind « so many »."""
    broken: Callable[[], Select[Any]]
    is_quick: bool = False
    """Whether `idp check` asks it of a running installation, too."""


@dataclass(frozen=True)
class Contradiction:
    """An invariant that does not hold: of how many rows, and of which, for example."""

    name: str
    sentence: str
    count: int
    example: str


def _without_guardianship() -> Select[Any]:
    """However it ended: a pupil who has left is a matter of the view, which each token asks."""
    live = exists().where(
        Guardianship.account_id == Grant.account_id,
        Guardianship.child_id == Grant.child_id,
        guardianships.not_ended(),
    )
    return select(Grant.id).where(_LIVE_GRANT, Grant.child_id.is_not(None), ~live)


def _of_ended_session() -> Select[Any]:
    ended = exists().where(
        BrowserSession.id == Grant.session_id, BrowserSession.ended_at.is_not(None)
    )
    return select(Grant.id).where(_LIVE_GRANT, ~_OUTLIVES, ended)


def _of_disabled(model: Any, is_live: Any) -> Callable[[], Select[Any]]:
    def query() -> Select[Any]:
        disabled = exists().where(Account.id == model.account_id, Account.status == "disabled")
        return select(model.id).where(is_live, disabled)

    return query


def _of_disabled_application() -> Select[Any]:
    disabled = exists().where(Client.id == Grant.client_id, Client.disabled_at.is_not(None))
    return select(Grant.id).where(_LIVE_GRANT, disabled)


def _of_another_account() -> Select[Any]:
    other = exists().where(
        BrowserSession.id == Grant.session_id, BrowserSession.account_id != Grant.account_id
    )
    return select(Grant.id).where(other)


def _without(parent: Any, child: Any, column: Any) -> Callable[[], Select[Any]]:
    def query() -> Select[Any]:
        there = exists().where(parent.id == column)
        return select(column).select_from(child).where(column.is_not(None), ~there)

    return query


def _choices_elsewhere() -> Select[Any]:
    other = exists().where(
        Child.id == ChildChoice.child_id, Child.school_id != ChildChoice.school_id
    )
    return select(ChildChoice.session_id).where(other)


def _several_successors() -> Select[Any]:
    """A refresh answers with one token; the one before it is rotated by the same statement."""
    usable = and_(RefreshToken.rotated_at.is_(None), RefreshToken.revoked_at.is_(None))
    grants = select(RefreshToken.grant_id).where(usable).group_by(RefreshToken.grant_id)
    return grants.having(func.count() > 1)


def _codes_of_nothing() -> Select[Any]:
    """A code that was redeemed has given an access token in the same transaction, as long as
    neither of them was purged.
    """
    token = exists().where(AccessToken.grant_id == AuthorizationCode.grant_id)
    later = exists().where(RefreshToken.grant_id == AuthorizationCode.grant_id)
    ended = exists().where(Grant.id == AuthorizationCode.grant_id, Grant.ended_at.is_not(None))
    redeemed = AuthorizationCode.redeemed_at.is_not(None)
    return select(AuthorizationCode.grant_id).where(redeemed, ~token, ~later, ~ended)


def _without_entry(owner: Any, column: Any) -> Callable[[], Select[Any]]:
    return lambda: select(owner.id).where(~exists().where(column == owner.id))


def _identities() -> Select[Any]:
    several = select(func.count()).select_from(DatabaseIdentity).scalar_subquery()
    return select(literal("database_identity")).where(several != 1)


INVARIANTS: Final = (
    Invariant(
        "guardianship",
        "{count} live grants name a child whose guardianship has ended",
        _without_guardianship,
        is_quick=True,
    ),
    Invariant(
        "session", "{count} live grants hang on a session that has ended", _of_ended_session,
        is_quick=True,
    ),
    Invariant(
        "grant of a disabled account", "{count} live grants are a disabled account's",
        _of_disabled(Grant, _LIVE_GRANT), is_quick=True,
    ),
    Invariant(
        "session of a disabled account", "{count} live sessions are a disabled account's",
        _of_disabled(BrowserSession, _LIVE_SESSION), is_quick=True,
    ),
    Invariant(
        "application", "{count} live grants are a disabled application's",
        _of_disabled_application, is_quick=True,
    ),
    Invariant(
        "one person", "{count} grants belong to another account than their session",
        _of_another_account,
    ),
    Invariant(
        "successor", "{count} grants have more than one refresh token that works",
        _several_successors,
    ),
    Invariant(
        "redeemed", "{count} codes were redeemed, and nothing was given for them",
        _codes_of_nothing,
    ),
    Invariant("school", "{count} pupils have no school", _without(School, Child, Child.school_id)),
    Invariant(
        "guardian", "{count} guardianships have no guardian",
        _without(Account, Guardianship, Guardianship.account_id),
    ),
    Invariant(
        "pupil", "{count} guardianships have no pupil",
        _without(Child, Guardianship, Guardianship.child_id),
    ),
    Invariant(
        "choice", "{count} choices name a child of another school", _choices_elsewhere
    ),
    Invariant(
        "directory of guardians", "{count} guardians can't be found at the desk",
        _without_entry(Account, DirectoryEntry.account_id),
    ),
    Invariant(
        "directory of pupils", "{count} pupils can't be found at the desk",
        _without_entry(Child, DirectoryEntry.child_id),
    ),
    Invariant("identity", "the database has no identity, or several", _identities, is_quick=True),
)  # fmt: skip


def contradictions() -> Iterator[Contradiction]:
    """What does not hold of the present database."""
    yield from _contradictions(db.session, INVARIANTS)


def quick_contradictions() -> Iterator[Contradiction]:
    """What does not hold of a running one, as far as it says so within seconds."""
    with db.engine.connect() as connection:
        now = connection
        if now.dialect.name == "postgresql":
            now = now.execution_options(isolation_level="READ COMMITTED")
            now.exec_driver_sql(f"SET LOCAL statement_timeout = {PATIENCE}")
        try:
            yield from _contradictions(now, [each for each in INVARIANTS if each.is_quick])
        except DBAPIError as error:
            # 57014 query_canceled (PostgreSQL, appendix A): a proof of a backup asks in peace
            if getattr(error.orig, "sqlstate", None) != "57014":
                raise


def _contradictions(now: Any, which: Iterable[Invariant]) -> Iterator[Contradiction]:
    for each in which:
        rows = each.broken().subquery()
        column = next(iter(rows.c))
        count, example = now.execute(select(func.count(), func.min(column))).one()
        if count:
            sentence = each.sentence.format(count=count)
            yield Contradiction(each.name, sentence, count, str(example))


def orphans() -> Iterator[Contradiction]:
    """Rows that refer to what is not there: foreign keys hold of nothing that was written past
    them, or while nobody looked.
    """
    for table in db.metadata.sorted_tables:
        for key in table.foreign_key_constraints:
            count = db.session.scalar(_without_parent(table, key))
            if count:
                names = ", ".join(column.name for column in key.columns)
                sentence = f"{count} rows of {table.name} refer by {names} to what is not there"
                yield Contradiction("foreign keys", sentence, count, table.name)


def _without_parent(table: Table, key: Any) -> Select[Any]:
    pairs = [(each.parent, each.column) for each in key.elements]
    parent = pairs[0][1].table.alias()
    is_there = exists().where(*(own == parent.c[other.name] for own, other in pairs))
    named = [own.is_not(None) for own, _ in pairs]
    return select(func.count()).select_from(table).where(*named, ~is_there)


def changes_of_audit_log() -> Iterator[str]:
    """Sentences of statements that change what was recorded, and that the audit trail does not
    refuse; tried, and taken back. Of a database that nobody else uses: to empty a table is to hold
    up its readers.
    """
    yield from changes_of_events()
    for table in _tables_of_events():
        if db.engine.dialect.name == "postgresql":
            yield from _not_refused(f"TRUNCATE {table}", text(f"TRUNCATE {table}"))


def changes_of_events() -> Iterator[str]:
    """The same of the newest event of each partition, whose triggers refuse: it holds up nobody."""
    events = AuditEvent.__table__
    for table in _tables_of_events():
        newest = db.session.scalar(text(f"SELECT max(id) FROM {table}"))  # noqa: S608
        last = events.c.id == newest
        for name, statement in (
            ("UPDATE", events.update().where(last).values(event=events.c.event)),
            ("DELETE", events.delete().where(last)),
        ):
            if newest is not None:
                yield from _not_refused(f"{name} of event {newest}", statement)


def _tables_of_events() -> list[str]:
    if db.engine.dialect.name == "sqlite":
        return [AuditEvent.__tablename__]
    leaves = "SELECT relid::regclass::text FROM pg_partition_tree('audit_events') WHERE isleaf"
    return list(db.session.scalars(text(leaves)))


def _not_refused(name: str, statement: Any) -> Iterator[str]:
    """What else stands in its way, a lock or a missing permission, says nothing of the triggers."""
    try:
        with transaction() as writes:
            writes.execute(statement)
            raise _TakenBack
    except DBAPIError as error:
        if removal.REFUSED not in str(error.orig):
            yield f"{name} could not be tried: {str(error.orig).splitlines()[0]}"
    except _TakenBack:
        yield f"the database does not refuse {name} any more"


class _TakenBack(Exception):
    pass
