"""Keeps the directory: by what the desk finds each guardian and each pupil.

Whatever changes a name, a class, an address, a user name or a guardianship calls this in the same
transaction. Entries are made from what stands in the tables, never from what the caller thinks
it changed, so that they equal what ``rebuild`` would make.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    ForeignKey,
    Index,
    Integer,
    Select,
    String,
    Text,
    bindparam,
    delete,
    func,
    insert,
    select,
    update,
)
from sqlalchemy.orm import Mapped, mapped_column

from idp.database import Model, before_commit, db, in_parts, retried, transaction
from idp.people import guardianships, search_texts
from idp.people.models import Account, Child, Guardianship, locked, one_of

CHUNK: Final = 1_000
FILLED_AT_ONCE: Final = 20_000
"""Accounts whose entries a migration makes in one transaction."""
KINDS: Final = ("guardian", "pupil")
Key = tuple[str, str | None]
Known = tuple[int, str]


class DirectoryEntry(Model):
    """By what one school finds a person; kept by this module.

    A guardian has one for each school where they are or were guardian, which holds nothing of
    another school (security rule C3); without any such school, one without a school.
    """

    __tablename__ = "directory_entries"
    __table_args__ = (
        CheckConstraint(one_of("kind", KINDS), name="kind"),
        Index("uq_directory_entries_guardian", "account_id", "school_id", unique=True),
        Index("uq_directory_entries_child_id", "child_id", unique=True),
    )

    id: Mapped[int] = mapped_column(
        BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=True
    )
    kind: Mapped[str] = mapped_column(String(8))
    account_id: Mapped[str | None] = mapped_column(ForeignKey("accounts.id"))
    child_id: Mapped[str | None] = mapped_column(ForeignKey("children.id"))
    school_id: Mapped[str | None] = mapped_column(ForeignKey("schools.id"), index=True)
    place: Mapped[str] = mapped_column(String(3), default="")
    """Three characters that stand for the school in the index of SQLite."""
    text: Mapped[str] = mapped_column(Text)


_TABLE: Final = DirectoryEntry.__table__


@dataclass(frozen=True)
class Rebuilt:
    """What a rebuild found: how many entries there are, how many were wrong."""

    entries: int
    mended: int


def refresh_accounts(account_ids: Iterable[str]) -> None:
    """Bring the entries of these guardians up to date, before the present transaction commits.

    Holds the accounts, and their children as they are: of two changes of one guardian at once,
    the second sees the first.
    """
    _later("guardian", account_ids)


def refresh_children(child_ids: Iterable[str]) -> None:
    """Bring the entries of these pupils, and of their guardians, up to date; as above."""
    _later("family", child_ids)


def refresh_pupils(child_ids: Iterable[str]) -> None:
    """Bring the entries of these pupils up to date; their guardians are refreshed elsewhere."""
    _later("pupil", child_ids)


def refresh_many(child_ids: Iterable[str], account_ids: Iterable[str]) -> None:
    """Bring the entries of so many pupils and guardians up to date now, some at a time, in the
    present transaction.
    """
    writes = db.session()
    for refresh, ids in ((_pupils, child_ids), (_guardians, account_ids)):
        for some in in_parts(ids, CHUNK):
            refresh(writes, some)


def rebuild() -> Rebuilt:
    """Make every entry anew, a thousand people in each transaction, beside traffic."""
    done = [_rebuilt(*each) for each in ((Account.id, _guardians), (Child.id, _pupils))]
    return Rebuilt(sum(count for count, _ in done), sum(mended for _, mended in done))


def fill(connection: Any) -> None:
    """Make the entries of a database that has none, in the transaction of ``connection``.

    Only where that is a matter of seconds: a transaction that holds every account for minutes
    would stop the provider that serves meanwhile. ``idp db upgrade`` fills the rest afterwards.
    """
    if connection.scalar(select(func.count()).select_from(Account.__table__)) > FILLED_AT_ONCE:
        return
    for key, refresh in ((Account.id, _guardians), (Child.id, _pupils)):
        last = ""
        while some := connection.execute(_after(key, last)).scalars().all():
            refresh(connection, some)
            last = some[-1]


def is_whole() -> bool:
    """Whether everybody has an entry; asked after a migration, for it looks at everybody."""
    for key, owner in (
        (Account.id, DirectoryEntry.account_id),
        (Child.id, DirectoryEntry.child_id),
    ):
        without = select(key).where(~select(owner).where(owner == key).exists()).limit(1)
        if db.session.scalar(without) is not None:
            return False
    return True


def _rebuilt(key: Any, refresh: Any) -> tuple[int, int]:
    last, mended = "", 0
    while True:
        some, changed = _rebuild_some(key, refresh, last)
        mended += changed
        if not some:
            break
        last = some[-1]
    mine = DirectoryEntry.account_id if key is Account.id else DirectoryEntry.child_id
    entries = db.session.scalar(select(func.count(mine)))
    return entries or 0, mended


@retried
def _rebuild_some(key: Any, refresh: Any, last: str) -> tuple[list[str], int]:
    with transaction() as writes:
        some = list(writes.scalars(_after(key, last)))
        return some, refresh(writes, some) if some else 0


def _after(key: Any, last: str) -> Any:
    return select(key).where(key > last).order_by(key).limit(CHUNK)


def _later(what: str, ids: Iterable[str]) -> None:
    with transaction():
        before_commit(_refresh, *((what, each) for each in ids))


def _refresh(entries: list[tuple[str, str]]) -> None:
    """Whatever a transaction did to somebody, their entries are made once, when all is done."""
    ids: dict[str, dict[str, None]] = {"guardian": {}, "family": {}, "pupil": {}}
    for what, each in entries:
        ids[what][each] = None
    writes = db.session()
    for some in in_parts(ids["family"] | ids["pupil"], CHUNK):
        _pupils(writes, some)
    for some in in_parts(ids["family"], CHUNK):
        theirs = select(Guardianship.account_id).where(Guardianship.child_id.in_(some))
        _guardians(writes, theirs)
    for some in in_parts(ids["guardian"], CHUNK):
        _guardians(writes, some, [locked(each) for each in some])


def _locked_now(writes: Any, ids: list[str] | Select[str]) -> Sequence[Any]:
    rows: Sequence[Any] = writes.execute(
        select(Account.id, Account.given_name, Account.family_name, Account.username, Account.email)
        .where(Account.id.in_(ids))
        .order_by(Account.id)
        .with_for_update(key_share=True)
    ).all()
    return rows


def _guardians(writes: Any, ids: list[str] | Select[str], held: Sequence[Any] = (None,)) -> int:
    accounts = held if all(held) else _locked_now(writes, ids)
    at: dict[str, dict[str, dict[str, Any]]] = {}
    known: dict[Key, Known] = {}
    for row in writes.execute(_children_of([each.id for each in accounts])):
        at.setdefault(row.account_id, {}).setdefault(row.school_id, {})[row.guardianship_id] = row
        if row.entry_id is not None:
            known[row.account_id, row.entry_school_id] = row.entry_id, row.text
    if childless := [each.id for each in accounts if each.id not in at]:
        known |= _known(writes, DirectoryEntry.account_id, childless)
    wanted: dict[Key, str] = {}
    for account in accounts:
        schools = at.get(account.id)
        if schools is None:
            wanted[account.id, None] = search_texts.of_guardian(account, (), reachable=True)
            continue
        for school_id, rows in schools.items():
            live = [row for row in rows.values() if row.live]
            wanted[account.id, school_id] = search_texts.of_guardian(
                account, live, reachable=bool(live)
            )
    return _keep(writes, "guardian", DirectoryEntry.account_id, known, wanted)


def _children_of(ids: list[str]) -> Any:
    """The guardians' children, beside each of their own entries: whoever holds an account may
    read these along with what it waits for, since nobody else writes them.
    """
    return (
        select(
            Guardianship.id.label("guardianship_id"),
            Guardianship.account_id,
            guardianships.live().label("live"),
            Child.school_id,
            Child.given_name,
            Child.family_name,
            Child.class_name,
            Child.left_at,
            DirectoryEntry.id.label("entry_id"),
            DirectoryEntry.school_id.label("entry_school_id"),
            DirectoryEntry.text,
        )
        .join(Child, Child.id == Guardianship.child_id)
        .outerjoin(DirectoryEntry, DirectoryEntry.account_id == Guardianship.account_id)
        .where(Guardianship.account_id.in_(ids))
        .order_by(Guardianship.account_id, Child.id, Guardianship.id)
        # A class or name that is being changed: wait for it
        .with_for_update(read=True, of=Child)
    )


def _pupils(writes: Any, ids: list[str]) -> int:
    rows = writes.execute(
        select(
            Child.id,
            Child.school_id,
            Child.given_name,
            Child.family_name,
            Child.class_name,
            Child.sourced_id,
            Child.left_at,
        )
        .where(Child.id.in_(ids))
        .order_by(Child.id)
        .with_for_update(read=True)
    ).all()
    wanted: dict[Key, str] = {(row.id, row.school_id): search_texts.of_pupil(row) for row in rows}
    known = _known(writes, DirectoryEntry.child_id, ids)
    return _keep(writes, "pupil", DirectoryEntry.child_id, known, wanted)


def _known(writes: Any, owner: Any, ids: list[str]) -> dict[Key, Known]:
    columns = (DirectoryEntry.id, owner, DirectoryEntry.school_id, DirectoryEntry.text)
    rows = writes.execute(select(*columns).where(owner.in_(ids)))
    return {(row[1], row[2]): (row[0], row[3]) for row in rows}


def _keep(
    writes: Any, kind: str, owner: Any, known: dict[Key, Known], wanted: dict[Key, str]
) -> int:
    """Make the entries of these people the wanted ones; returns how many differed."""
    gone = [known[key][0] for key in known.keys() - wanted.keys()]
    differ = [
        {"entry": known[key][0], "line": line}
        for key, line in wanted.items()
        if key in known and known[key][1] != line
    ]
    new = [
        {
            "kind": kind,
            owner.key: owner_id,
            "school_id": school_id,
            "place": search_texts.place_of(school_id),
            "text": line,
        }
        for (owner_id, school_id), line in wanted.items()
        if (owner_id, school_id) not in known
    ]
    if gone:
        writes.execute(delete(_TABLE).where(_TABLE.c.id.in_(gone)))
    if differ:
        one = update(_TABLE).where(_TABLE.c.id == bindparam("entry"))
        writes.execute(one.values(text=bindparam("line")), differ)
    if new:
        writes.execute(insert(_TABLE), new)
    return len(gone) + len(differ) + len(new)
