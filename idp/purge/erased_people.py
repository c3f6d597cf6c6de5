"""Who is to be erased, and by what they are found where no id of ours stands."""

from collections.abc import Collection, Iterator, Sequence
from itertools import chain
from typing import Any, Final

from sqlalchemy import or_, select

from idp.audit.models import AuditEvent
from idp.audit.redaction import Concerned
from idp.credentials.models import EmailChange
from idp.database import db
from idp.people.models import Account, Child, Guardianship
from idp.purge.staged_names import Written
from idp.roster.models import RosterChange, RosterIdentity

_LINK: Final = {Account: "account_id", Child: "child_id"}


class People:
    """Who is to be erased, read and held before anything of theirs is gone."""

    def __init__(self, account_ids: Sequence[str], child_ids: Sequence[str]) -> None:
        self.account_ids, self.child_ids = account_ids, child_ids
        self.written = Written()
        self.emails: set[str] = set()
        self.usernames: set[str] = set()
        held_accounts = _held(Account, account_ids)
        held_children = _held(Child, child_ids)
        self.present = [account.id for account in held_accounts]
        self.children_at = {child.id: child.school_id for child in held_children}
        for account in held_accounts:
            self._add_account(account)
        for child in held_children:
            self.written.add_name(child.given_name, child.family_name)
            self.written.add_number(child.sourced_id)
        self._add_former_words()
        theirs = set(_scalars(Guardianship.child_id, Guardianship.account_id, account_ids))
        self.family = theirs | set(child_ids)
        self.guardians = set(_scalars(Guardianship.account_id, Guardianship.child_id, self.family))
        self.schools_of = _schools_of(account_ids)
        self.schools = {
            *self.children_at.values(),
            *filter(None, chain(*self.schools_of.values())),
        }
        self._add_relatives(held_accounts, Account, Child)
        self._add_relatives(held_children, Child, Account)
        for each in (*held_accounts, *held_children):
            db.session.expunge(each)  # nobody reads of them from memory what is gone

    @property
    def concerned(self) -> Concerned:
        worked = select(AuditEvent.account_id).where(
            AuditEvent.account_id.in_(self.account_ids), AuditEvent.event == "role_granted"
        )
        return Concerned(
            accounts=set(self.account_ids),
            children=set(self.child_ids),
            family=self.family,
            guardians=self.guardians,
            schools=self.schools,
            staff=set(db.session.scalars(worked)),
            is_named=self.written.stands_in_note,
        )

    def _add_account(self, account: Account) -> None:
        self.written.add_name(account.given_name, account.family_name)
        self.usernames |= {account.username.lower(), account.username_key}
        self._add_email(account.email)

    def _add_email(self, address: str | None) -> None:
        self.written.add_email(address)
        if address:
            self.emails.add(address.lower())

    def _add_relatives(self, held: list[Any], mine: Any, theirs: Any) -> None:
        if not held:
            return
        rows = db.session.execute(
            select(mine.given_name, theirs.family_name)
            .join(Guardianship, getattr(Guardianship, _LINK[mine]) == mine.id)
            .join(theirs, theirs.id == getattr(Guardianship, _LINK[theirs]))
            .where(mine.id.in_([each.id for each in held]))
        )
        for given_name, family_name in rows:
            self.written.add_relatives_name(given_name, family_name)

    def _add_former_words(self) -> None:
        """Addresses and names of before, and the numbers by which schools call them."""
        changes = select(EmailChange.old_email, EmailChange.new_email, EmailChange.undo_email)
        for row in db.session.execute(changes.where(EmailChange.account_id.in_(self.account_ids))):
            for address in row:
                self._add_email(address)
        theirs = or_(
            RosterChange.account_id.in_(self.account_ids),
            RosterChange.child_id.in_(self.child_ids),
        )
        for change in db.session.scalars(select(RosterChange).where(theirs)):
            self.written.add_name(change.given_name, change.family_name)
            self.written.add_name(change.old_given_name, change.old_family_name)
            self._add_email(change.email)
            self._add_email(change.old_email)
        numbers = select(RosterIdentity.sourced_id).where(
            or_(
                RosterIdentity.account_id.in_(self.account_ids),
                RosterIdentity.child_id.in_(self.child_ids),
            )
        )
        for number in db.session.scalars(numbers):
            self.written.add_number(number)


def _held(model: Any, ids: Sequence[str]) -> list[Any]:
    query = select(model).where(model.id.in_(ids)).order_by(model.id)
    held = query.with_for_update(of=model).execution_options(populate_existing=True)
    return list(db.session.scalars(held)) if ids else []


def _scalars(column: Any, owner: Any, ids: Collection[str]) -> Iterator[str]:
    yield from db.session.scalars(select(column).where(owner.in_(ids)).distinct())


def _schools_of(account_ids: Sequence[str]) -> dict[str, list[str | None]]:
    """The schools at which each is or was guardian, which may read that they are erased."""
    query = (
        select(Guardianship.account_id, Child.school_id)
        .join(Child, Child.id == Guardianship.child_id)
        .where(Guardianship.account_id.in_(account_ids))
        .distinct()
    )
    at: dict[str, list[str | None]] = {}
    for account_id, school_id in db.session.execute(query):
        at.setdefault(account_id, []).append(school_id)
    return at
