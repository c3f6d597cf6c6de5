"""Schools, accounts, children and guardianships: made, found, changed.

Sessions, tokens and grants that hang on a person end in ``idp.lifecycle``, which joins the
services; what stands here touches people alone.
"""

from collections.abc import Iterator, Sequence
from typing import Any, Final

from sqlalchemy import Row, Select, and_, select, update
from sqlalchemy.exc import IntegrityError

from idp import clock
from idp.audit import events
from idp.database import db, retried, transaction
from idp.people import directory
from idp.people.addresses import clean_email
from idp.people.models import (
    ACCOUNT_STATUSES,
    RELATIONSHIPS,
    Account,
    Child,
    Guardianship,
    School,
)
from idp.people.names import (
    Refused,
    as_meant,
    checked_username,
    clean_text,
    email_key,
    sort_key,
    stored_names,
    username_key,
)
from idp.people.schools import create_school, find_school, list_schools
from idp.settings import LOCALES

__all__ = [
    "Refused",
    "accounts_with_email",
    "activate",
    "create_account",
    "create_child",
    "create_school",
    "email_key",
    "find_account",
    "find_by_identifier",
    "find_by_username",
    "find_child",
    "find_school",
    "get_account",
    "has_live_children",
    "hold_account",
    "hold_guardianship",
    "hold_invited",
    "link_guardian",
    "list_accounts",
    "list_schools",
    "live_children",
    "mark_disabled",
    "mark_guardianship_ended",
    "mark_guardianships_ended",
    "move_epoch",
    "schools_of",
    "username_key",
]

CLASS_LENGTH = 40
SOURCED_ID_LENGTH = 64
REASON_LENGTH = 200


def create_account(
    *,
    username: str,
    given_name: str,
    family_name: str,
    email: str | None = None,
    locale: str | None = None,
    school_id: str | None = None,
) -> Account:
    """Make a guardian's account, invited and without a password; raises ``Refused``.

    ``school_id``: the school that makes it, and may read so in its journal.
    """
    username, key = checked_username(username)
    given, family = stored_names(given_name, family_name)
    if email:
        email = clean_email("email", email)
    if locale is not None and locale not in LOCALES:
        raise Refused("locale", f"is none of {', '.join(LOCALES)}")
    account = Account(
        username=username,
        username_key=key,
        given_name=given,
        family_name=family,
        email=email or None,
        email_key=email_key(email) if email else None,
        locale=locale,
    )
    with transaction() as writes:
        _add(account, Refused("username", "is taken"))
        events.record("account_created", account_id=account.id, school_id=school_id)
        directory.refresh_accounts([account.id])
        writes.flush()
    return account


def find_account(account_id: str) -> Account | None:
    """The account, whatever its status."""
    return db.session.get(Account, account_id)


def get_account(account_id: str) -> Account:
    """The account that a session, a grant or a row refers to."""
    return db.session.get_one(Account, account_id)


def find_by_username(text: str) -> Account | None:
    """The account with this user name, whatever its status."""
    return db.session.scalars(
        select(Account).where(Account.username_key == username_key(text))
    ).one_or_none()


def accounts_with_email(text: str) -> list[Account]:
    """The accounts that are not disabled and share this address, by user name.

    An ``email_key`` is its own key, so that a stored one may be given too.
    """
    return list(
        db.session.scalars(
            select(Account)
            .where(Account.email_key == email_key(text), Account.status != "disabled")
            .order_by(Account.username_key)
        )
    )


def find_by_identifier(text: str) -> Account | None:
    """Whom a person at the sign-in page means: by e-mail where only one account has it."""
    meant = as_meant(text)
    if "@" in meant:
        found = accounts_with_email(meant)
        return found[0] if len(found) == 1 else None
    exact = username_key(text)
    named = db.session.scalars(
        select(Account).where(Account.username_key.in_({exact, username_key(meant)}))
    ).all()
    return max(named, key=lambda account: account.username_key == exact, default=None)


LISTED: Final = (
    *("id", "username", "username_key", "given_name", "family_name", "email", "status", "locale"),
    *("created_at", "updated_at"),
)
PIECE: Final = 1000


def list_accounts(*, status: str | None = None, email: str | None = None) -> Iterator[Row[Any]]:
    """Every account, or those of a status or an address, by user name; raises ``Refused``.

    A thousand at a time: there may be a million.
    """
    if status is not None and status not in ACCOUNT_STATUSES:
        raise Refused("status", f"is none of {', '.join(ACCOUNT_STATUSES)}")
    query = select(*(getattr(Account, name) for name in LISTED)).order_by(Account.username_key)
    if status is not None:
        query = query.where(Account.status == status)
    if email is not None:
        query = query.where(Account.email_key == email_key(email))
    return _in_pieces(query)


def _in_pieces(query: Any) -> Iterator[Row[Any]]:
    after = ""
    while found := db.session.execute(query.where(Account.username_key > after).limit(PIECE)).all():
        yield from found
        after = found[-1].username_key


def hold_account(account_id: str) -> Account | None:
    """The account as it is now, which nobody else changes before this transaction ends.

    Whatever sets, disables or claims an account takes this first: one order of locks.
    """
    return db.session.scalars(
        select(Account)
        .where(Account.id == account_id)
        # FOR NO KEY UPDATE: rows that refer to the account may still be added meanwhile
        .with_for_update(key_share=True)
        .execution_options(populate_existing=True)
    ).one_or_none()


def hold_invited(account_ids: Sequence[str]) -> list[Account]:
    """Those of these accounts that are invited, held as by ``hold_account``, by id.

    In the order of their ids, so that two who hold many don't wait for each other.
    """
    return list(
        db.session.scalars(
            select(Account)
            .where(Account.id.in_(account_ids), Account.status == "invited")
            .order_by(Account.id)
            .with_for_update(key_share=True)
            .execution_options(populate_existing=True)
        )
    )


def activate(account: Account) -> None:
    """Make an invited account active; the caller holds it (``hold_account``)."""
    if account.status != "invited":
        return
    account.status = "active"
    account.updated_at = clock.now()
    account.claimed_at = account.claimed_at or account.updated_at
    events.record("account_activated", account_id=account.id)


def move_epoch(account: Account) -> None:
    """Make proofs that are being judged worth nothing; the caller holds the account."""
    account.credentials_epoch += 1


def mark_disabled(account_id: str, *, closed: bool = False) -> bool:
    """Disable an account; false if there is none or it was disabled before.

    ``closed``: because its last guardianship has ended, so that the next one opens it again.
    Callers use ``lifecycle.families``, which ends what hangs on it.
    """
    with transaction():
        account = hold_account(account_id)
        if account is None or (account.status == "disabled" and (closed or not account.closed_at)):
            return False
        if account.status == "active":
            # A worker of the release before has not noted it when the account was claimed
            account.claimed_at = account.claimed_at or clock.now()
        account.status = "disabled"
        account.closed_at = clock.now() if closed else None
        move_epoch(account)
        account.updated_at = clock.now()
        events.record("account_disabled", account_id=account_id)
    return True


def create_child(
    school_id: str,
    given_name: str,
    family_name: str,
    class_name: str = "",
    sourced_id: str | None = None,
) -> Child:
    """Enrol a child; ``sourced_id`` is the school's own number for it. Raises ``Refused``."""
    school = find_school(school_id)
    if school is None:
        raise Refused("school", "is unknown")
    given, family = stored_names(given_name, family_name)
    number = clean_text("sourced_id", sourced_id or "", longest=SOURCED_ID_LENGTH)
    child = Child(
        school_id=school_id,
        school=school,
        given_name=given,
        family_name=family,
        class_name=clean_text("class_name", class_name, longest=CLASS_LENGTH),
        sourced_id=number or None,
    )
    with transaction():
        _add(child, Refused("sourced_id", "is another child's at this school"))
        events.record("child_created", child_id=child.id, school_id=school_id)
        directory.refresh_pupils([child.id])
    return child


def find_child(child_id: str) -> Child | None:
    """The child, with its school."""
    return db.session.get(Child, child_id)


@retried
def check_relationship(relationship: str) -> None:
    """Raise ``Refused`` for a word that is none of OneRoster's."""
    if relationship not in RELATIONSHIPS:
        raise Refused("relationship", f"is none of {', '.join(RELATIONSHIPS)}")


def link_guardian(account_id: str, child_id: str, relationship: str = "parent") -> Guardianship:
    """Let a guardian see a child; a live guardianship is returned as it is.

    Raises ``Refused`` for an unknown account, child or relationship (a word of OneRoster).
    """
    check_relationship(relationship)
    with transaction():
        if hold_account(account_id) is None:
            raise Refused("account", "is unknown")
        child = find_child(child_id)
        if child is None:
            raise Refused("child", "is unknown")
        if live := _live_guardianship(account_id, child_id):
            return live
        made = Guardianship(account_id=account_id, child_id=child_id, relationship=relationship)
        db.session.add(made)
        db.session.flush()
        events.record(
            "guardianship_made",
            account_id=account_id,
            child_id=child_id,
            school_id=child.school_id,
            changes={"relationship": [None, relationship]},
        )
        directory.refresh_accounts([account_id])
    return made


def live_children(
    account_id: str, school_ids: Sequence[str] | None = None
) -> list[tuple[Child, Guardianship]]:
    """The guardian's children now, at these schools (``None``: at any), by given name.

    One query; an ended guardianship and a child that left its school are not among them.
    """
    query = (
        select(Child, Guardianship)
        .join(Guardianship, Guardianship.child_id == Child.id)
        .where(
            Guardianship.account_id == account_id,
            Guardianship.ended_at.is_(None),
            Child.left_at.is_(None),
        )
    )
    if school_ids is not None:
        query = query.where(Child.school_id.in_(school_ids))
    found = [(child, guardianship) for child, guardianship in db.session.execute(query)]
    return sorted(found, key=lambda pair: _by_name(pair[0]))


def has_live_children(account_id: str) -> bool:
    """Whether the account is guardian of a pupil anywhere now."""
    live = (
        select(Guardianship.id)
        .join(Child, Child.id == Guardianship.child_id)
        .where(
            Guardianship.account_id == account_id,
            Guardianship.ended_at.is_(None),
            Child.left_at.is_(None),
        )
    )
    return db.session.scalar(live.limit(1)) is not None


def schools_of(account_id: str) -> list[School]:
    """The schools of the guardian's live children, by name; one query."""
    return list(
        db.session.scalars(
            select(School)
            .where(
                School.id.in_(
                    select(Child.school_id)
                    .join(Guardianship, Guardianship.child_id == Child.id)
                    .where(
                        Guardianship.account_id == account_id,
                        Guardianship.ended_at.is_(None),
                        Child.left_at.is_(None),
                    )
                )
            )
            .order_by(School.name)
        )
    )


def hold_guardianship(account_id: str, child_id: str) -> bool:
    """Whether a guardianship is live, and stays so until this transaction ends (rule C6)."""
    return _live_guardianship(account_id, child_id, hold=True) is not None


def mark_guardianship_ended(
    account_id: str, child_id: str, reason: str, code: str | None = None
) -> bool:
    """End a live guardianship; false where there is none. ``code``: one of ``END_REASONS``.

    Callers use ``lifecycle.families.end_guardianship``, which ends what hangs on it.
    """
    with transaction() as writes:
        ended = writes.execute(
            update(Guardianship)
            .where(
                Guardianship.account_id == account_id,
                Guardianship.child_id == child_id,
                Guardianship.ended_at.is_(None),
            )
            .values(ended_at=clock.now(), ended_reason=reason[:REASON_LENGTH], ended_code=code)
        ).rowcount
        if ended:
            child = find_child(child_id)
            events.record(
                "guardianship_ended",
                account_id=account_id,
                child_id=child_id,
                school_id=child.school_id if child else None,
                changes={"ended": [None, code or "other"]},
            )
            directory.refresh_accounts([account_id])
    return bool(ended)


def mark_guardianships_ended(
    ended: Select[Any], reason: str, code: str | None = None, **detail: Any
) -> int:
    """``mark_guardianship_ended`` for many: ``ended`` yields ids; returns how many were live.

    Callers use ``lifecycle.households.end_guardianships``, which ends what hangs on them, and
    then refresh the directory.
    """
    live = and_(Guardianship.id.in_(ended), Guardianship.ended_at.is_(None))
    whom: Select[*tuple[Any, ...]] = select(Guardianship.account_id, Guardianship.child_id).where(
        live
    )
    if code is not None:  # somebody at a school says so: it reads it in its journal
        whom = whom.add_columns(Child.school_id).join(Child, Child.id == Guardianship.child_id)
        detail["changes"] = {"ended": [None, code]}
    with transaction() as writes:
        events.record_each("guardianship_ended", whom, **detail)
        count: int = writes.execute(
            update(Guardianship)
            .where(live)
            .values(ended_at=clock.now(), ended_reason=reason[:REASON_LENGTH], ended_code=code)
            .execution_options(synchronize_session=False)
        ).rowcount
    return count


def _live_guardianship(
    account_id: str, child_id: str, *, hold: bool = False
) -> Guardianship | None:
    query = select(Guardianship).where(
        Guardianship.account_id == account_id,
        Guardianship.child_id == child_id,
        Guardianship.ended_at.is_(None),
    )
    return db.session.scalars(query.with_for_update(read=True) if hold else query).one_or_none()


def _add(row: Account | Child, taken: Refused) -> None:
    """Add a row; the database's unique index decides, not a look beforehand."""
    try:
        with db.session.begin_nested():
            db.session.add(row)
    except IntegrityError as error:
        raise taken from error


def _by_name(child: Child) -> tuple[str, str, str]:
    return sort_key(child.given_name), sort_key(child.family_name), child.id
