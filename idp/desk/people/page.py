"""Finding a guardian or a pupil within the scope, with what their page shows.

Also whose mail goes to the same mailbox.

What lies outside the scope is not found, as what does not exist (security rules A2 and C3). Of
a guardian whose last guardianship within the scope has ended, a page has the name and the end:
whatever else the account shows may be another school's.
"""

from dataclasses import dataclass
from typing import Final

from sqlalchemy import ColumnElement, or_, select
from sqlalchemy.orm import aliased

from idp.database import db
from idp.desk.access import rights as desk
from idp.desk.access import scope
from idp.desk.access.rights import Right, SchoolScope, Staff
from idp.desk.people.onboarding import Onboarding, VisibilityWindow, onboarding_of, windows_of
from idp.errors import NotFound
from idp.people import guardianships
from idp.people.guardianships import LiveGuardianship
from idp.people.models import Account, Child, Guardianship, StaffRole
from idp.people.names import email_key

MOST_GUARDIANS: Final = 50
"""Of one pupil; of one guardian's pupils as many are shown."""
MOST_SHARING: Final = 5
"""Guardians named who share a mailbox."""


@dataclass(frozen=True)
class Link:
    """A guardianship, with its pupil and its guardian."""

    guardianship: Guardianship
    child: Child
    account: Account
    live: bool


@dataclass(frozen=True)
class Person:
    """A guardian as staff may see them."""

    account: Account
    holder: Staff
    """The same as what they are at the desk."""
    onboarding: Onboarding
    window: VisibilityWindow
    links: list[Link]

    def is_within(self, school_scope: SchoolScope) -> bool:
        """Whether any of their pupils is, now or before, at a school of this scope."""
        return school_scope.everywhere or any(
            school_scope.covers(each.child.school_id) for each in self.links
        )

    @property
    def known(self) -> bool:
        """Whether more is to be told than the name and when access ended."""
        return self.window.live


@dataclass(frozen=True)
class Pupil:
    """A pupil with its guardians, and how far each has come. Of siblings nothing."""

    child: Child
    links: list[Link]
    onboarding_of: dict[str, Onboarding]


def person(staff: Staff, account_id: str) -> Person:
    """The guardian of this id; raises ``NotFound``."""
    school_scope = staff.school_scope(Right.LOOK_UP)
    account, holder = _with_work(account_id, scope.guardians(school_scope))
    window = windows_of([account_id], school_scope)[account_id]
    return Person(
        account=account,
        holder=holder,
        onboarding=onboarding_of([account_id], school_scope)[account_id],
        window=window,
        links=_links(Guardianship.account_id == account_id, school_scope),
    )


def pupil(staff: Staff, child_id: str) -> Pupil:
    """The pupil of this id; raises ``NotFound``."""
    school_scope = staff.school_scope(Right.LOOK_UP)
    child = child_within(school_scope, child_id)
    links = _links(Guardianship.child_id == child_id, school_scope)
    return Pupil(child, links, onboarding_of([link.account.id for link in links], school_scope))


def guardian(school_scope: SchoolScope, account_id: str) -> Account:
    """Whoever is or was guardian within the scope; raises ``NotFound``."""
    return _account(account_id, scope.guardians(school_scope))


def live_guardian(school_scope: SchoolScope, account_id: str) -> Account:
    """Whoever is guardian within the scope now: the only ones that are acted on.

    But for ``closable_guardian``. Raises ``NotFound``.
    """
    return _account(account_id, scope.live_guardians(school_scope))


def closable_guardian(school_scope: SchoolScope, account_id: str) -> Account:
    """Whoever is guardian within the scope now, or is asked there whether they may be.

    Raises ``NotFound``.
    """
    known = or_(scope.live_guardians(school_scope), scope.questioned(school_scope))
    return _account(account_id, known)


def child_within(school_scope: SchoolScope, child_id: str) -> Child:
    """The pupil, whether at school or gone; raises ``NotFound``."""
    query = select(Child).where(Child.id == child_id, scope.children(school_scope))
    return scope.one(query, "child", child_id)


def refuse_colleagues(staff: Staff, *account_ids: str, peers: bool) -> None:
    """``Staff.refuse_wider`` for these accounts, and without ``peers`` ``Staff.refuse_peer``, as an
    act on them will; raises ``Conflict``.
    """
    for account_id in account_ids:  # one, or the two of a merge
        if holder := desk.staff_of(account_id):
            staff.refuse_wider(holder)
            if not peers:
                staff.refuse_peer(holder)


def schools_concerned(school_scope: SchoolScope, account_id: str) -> list[str | None]:
    """For which schools an act on an account is written down: those of the scope where they are
    guardian now, or the platform where there is none. One query.
    """
    school_ids = db.session.scalars(
        select(LiveGuardianship.school_id)
        .where(
            LiveGuardianship.account_id == account_id,
            scope.at(school_scope, LiveGuardianship.school_id),
        )
        .distinct()
        .order_by(LiveGuardianship.school_id)
    ).all()
    return list(school_ids) or [None]


def _account(account_id: str, condition: ColumnElement[bool]) -> Account:
    query = select(Account).where(Account.id == account_id, condition)
    return scope.one(query, "account", account_id)


def _with_work(account_id: str, condition: ColumnElement[bool]) -> tuple[Account, Staff]:
    """The account, and its holder as staff, in one query; raises ``NotFound``."""
    query = (
        select(Account, StaffRole)
        .outerjoin(StaffRole, StaffRole.account_id == Account.id)
        .where(Account.id == account_id, condition)
        .execution_options(populate_existing=True)
    )
    rows = db.session.execute(query).all()
    if not rows:
        raise NotFound("account", account_id)
    return rows[0][0], desk.with_roles(account_id, [role for _, role in rows if role])


def _links(which: ColumnElement[bool], school_scope: SchoolScope) -> list[Link]:
    """Live ones first, then by when they ended; bounded."""
    rows = db.session.execute(
        select(Guardianship, Child, Account, guardianships.live())
        .join(Child, Child.id == Guardianship.child_id)
        .join(Account, Account.id == Guardianship.account_id)
        .where(which, scope.children(school_scope))
        .order_by(
            guardianships.live().desc(),
            guardianships.over_since().desc(),
            Child.given_name,
            Account.family_name,
            Guardianship.id,
        )
        .limit(MOST_GUARDIANS)
    )
    return [Link(*row) for row in rows]


def sharing(staff: Staff, account_id: str, email: str | None = None) -> list[Account]:
    """Other guardians within the scope whose address is the account's, or ``email``."""
    theirs = aliased(Account)
    stored = select(theirs.email_key).where(theirs.id == account_id).scalar_subquery()
    query = select(Account).where(
        Account.email_key == (stored if email is None else email_key(email)),
        Account.id != account_id,
        Account.status != "disabled",
        scope.live_guardians(staff.school_scope(Right.LOOK_UP)),
    )
    return list(db.session.scalars(query.order_by(Account.username_key).limit(MOST_SHARING)))
