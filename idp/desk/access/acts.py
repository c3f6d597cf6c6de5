"""An act of staff: right, school scope, lock and audit log, in one place.

    with act(staff, Right.CHANGE_PEOPLE, account_id) as on:
        if accounts.change_name(on.account, given_name, family_name):
            on.record("account_changed")

What lies outside the scope of the right is not found, as what does not exist (security rules A1,
A2 and C3). What is acted on is locked first and looked at then, so that of two acts at once the
second sees what the first has done. An act of which nothing was recorded has not happened: it is
rolled back. Nothing at the desk writes but inside an act, or with what an act gave
(``tests/admin/test_acts.py``).
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from sqlalchemy import (
    Boolean,
    ColumnElement,
    String,
    cast,
    exists,
    null,
    or_,
    select,
    true,
    union_all,
)

from idp.audit import changes, events
from idp.database import db, in_transaction, transaction
from idp.desk.access import rights as desk
from idp.desk.access import scope
from idp.desk.access.rights import Right, SchoolScope, Staff
from idp.errors import Conflict, NotFound
from idp.people import accounts, guardianships, link_questions
from idp.people.link_models import LinkRequest
from idp.people.models import Account, Child, Guardianship, School, StaffRole

T = TypeVar("T")


class _Unrecorded(Exception):
    """Nothing of an act was recorded."""


@dataclass(kw_only=True)
class Act:
    """What an act is given: who acts, where, and whose audit log it stands in."""

    staff: Staff
    school_scope: SchoolScope
    schools: Sequence[str | None] = ()
    """The schools concerned; None stands for the platform."""
    about: Mapping[str, str] = field(default_factory=dict)
    """On whom or what, as ``events.record`` takes it."""
    is_kept: bool = False

    def record(self, event: str, *, at: Iterable[str | None] | None = None, **detail: Any) -> None:
        """Write the act down for every school concerned, or for those ``at`` which alone it
        was; see ``changes.record``.
        """
        for school_id in self.schools if at is None else sorted(at, key=str):
            changes.record(event, school_id=school_id, **{**self.about, **detail})

    def keep(self) -> None:
        """Keep what was written although nothing is recorded; the caller says why."""
        self.is_kept = True


@dataclass(kw_only=True)
class OnAccount(Act):
    """An act on a guardian's account, which is locked."""

    account: Account
    holder: Staff
    """Its holder, as what they are at the desk."""

    def refuse_yourself(self) -> None:
        """Refuse (``yourself``) where it is the acting person's own account."""
        if self.account.id == self.staff.account_id:
            raise Conflict("yourself")


@dataclass(kw_only=True)
class OnTwo(OnAccount):
    """An act on an account and another one, both locked."""

    other: OnAccount


@dataclass(kw_only=True)
class OnPupil(Act):
    """An act on a pupil, who is locked, and on the account of a guardian where one is named."""

    child: Child
    account: Account | None = None


@dataclass(kw_only=True)
class AtSchool(Act):
    """An act at a school, which is locked."""

    school: School

    def record_for_each(self, event: str, account_ids: Sequence[str]) -> None:
        """Write down one act on many accounts, an event for each."""
        for account_id in account_ids:
            events.record(event, school_id=self.school.id, account_id=account_id)


@dataclass(kw_only=True)
class On(Act, Generic[T]):
    """An act on something else."""

    it: T


A = TypeVar("A", bound=Act)


def act(
    staff: Staff,
    right: Right,
    account_id: str,
    *,
    wider_roles: bool = False,
    peers: bool = True,
    former: bool = False,
    questioned: bool = False,
) -> AbstractContextManager[OnAccount]:
    """Act on the account of whoever is guardian within the scope *now*, or (``former``) was, or
    (``questioned``) is asked by one of its schools whether they may be linked; it is locked.

    An account with a right that this person lacks is refused (``Staff.refuse_wider``), unless
    ``wider_roles``; without ``peers``, where the act may hand the account to who acts, so is that
    of an equal (``Staff.refuse_peer``). Raises ``NotFound``, ``Conflict``.
    """
    how = {
        "wider_roles": wider_roles,
        "peers": peers,
        "former": former,
        "questioned": questioned,
    }
    return _acting(lambda: _on_account(staff, right, account_id, **how))


def act_on_two(
    staff: Staff, right: Right, first_id: str, second_id: str
) -> AbstractContextManager[OnTwo]:
    """``act`` on two accounts, none a peer's, locked in one order: two such acts wait, and none
    dies.
    """

    def load() -> OnTwo:
        for account_id in sorted((first_id, second_id)):
            accounts.lock_account(account_id)
        first, second = (
            _on_account(staff, right, each, peers=False) for each in (first_id, second_id)
        )
        return OnTwo(**vars(first), other=second)

    return _acting(load)


def act_on_pupil(
    staff: Staff, right: Right, child_id: str, *, guardian_id: str | None = None
) -> AbstractContextManager[OnPupil]:
    """Act on a pupil of the scope, whether at school or gone, who is locked.

    ``guardian_id``: and on the account, locked before it, of whoever is or was guardian within
    the scope. Raises ``NotFound``.
    """

    def load() -> OnPupil:
        school_scope = _school_scope(staff, right)
        if guardian_id is None:
            return _on_pupil(staff, school_scope, child_id)
        known = exists().where(Account.id == guardian_id, scope.guardians(school_scope))
        return _on_pupil(staff, school_scope, child_id, guardian_id, known)

    return _acting(load)


def act_on_guardianship(
    staff: Staff, right: Right, account_id: str, child_id: str
) -> AbstractContextManager[OnPupil]:
    """Act on a pupil of the scope and on an account, both locked, that is or was its guardian's, or
    was asked whether it may be. Raises ``NotFound``.
    """
    linked = exists().where(
        Guardianship.account_id == account_id, Guardianship.child_id == child_id
    )
    questioned = exists().where(*link_questions.of_pair(account_id, child_id))
    known = or_(linked, questioned)
    return _acting(
        lambda: _on_pupil(staff, _school_scope(staff, right), child_id, account_id, known)
    )


def act_at_school(staff: Staff, right: Right, school_id: str) -> AbstractContextManager[AtSchool]:
    """Act at a school of the scope, which is locked. Raises ``NotFound``."""

    def load() -> AtSchool:
        school_scope = _school_scope(staff, right)
        school = scope.school(school_scope, school_id, lock=True)
        return AtSchool(staff=staff, school_scope=school_scope, schools=[school_id], school=school)

    return _acting(load)


def act_on(
    staff: Staff, right: Right, find: Callable[[SchoolScope], T]
) -> AbstractContextManager[On[T]]:
    """Act on what ``find`` finds within the scope, and locks where an UPDATE does not decide."""

    def load() -> On[T]:
        school_scope = _school_scope(staff, right)
        return On(staff=staff, school_scope=school_scope, it=find(school_scope))

    return _acting(load)


def act_for_platform(staff: Staff, right: Right) -> AbstractContextManager[Act]:
    """An act on no school in particular: of whoever has the right everywhere, else ``NotFound``."""

    def load() -> Act:
        school_scope = staff.school_scope(right)
        if not school_scope.everywhere:
            raise NotFound("platform")
        return Act(staff=staff, school_scope=school_scope, schools=[None])

    return _acting(load)


@contextmanager
def _acting(load: Callable[[], A]) -> Iterator[A]:
    if in_transaction():
        raise RuntimeError("an act of staff is a transaction of its own")
    try:
        with transaction():
            on = load()
            yield on
            if not on.is_kept and not events.is_recorded():
                raise _Unrecorded
    except _Unrecorded:
        pass


def _school_scope(staff: Staff, right: Right) -> SchoolScope:
    school_scope = staff.school_scope(right)
    if not school_scope.any:
        raise NotFound("right", right)
    return school_scope


def _on_account(
    staff: Staff,
    right: Right,
    account_id: str,
    *,
    wider_roles: bool = False,
    peers: bool = True,
    former: bool = False,
    questioned: bool = False,
) -> OnAccount:
    school_scope = _school_scope(staff, right)
    account = accounts.lock_account(account_id)
    schools, holder = _pupils_and_work(
        school_scope, account_id, former=former, questioned=questioned
    )
    if account is None or not (schools or school_scope.everywhere):
        raise NotFound("account", account_id)
    if not wider_roles:
        staff.refuse_wider(holder)
    if not peers:
        staff.refuse_peer(holder)
    about = {"account_id": account_id}
    return OnAccount(
        staff=staff,
        school_scope=school_scope,
        schools=schools or [None],
        about=about,
        account=account,
        holder=holder,
    )


def _pupils_and_work(
    school_scope: SchoolScope, account_id: str, *, former: bool, questioned: bool
) -> tuple[list[str], Staff]:
    """At which schools of the scope somebody is guardian, and what they are at the desk."""
    of_pupil = Child.school_id, cast(null(), String).label("role"), cast(null(), Boolean)
    at_schools = select(*of_pupil).where(scope.children(school_scope)).distinct()
    pupils = [
        at_schools.join(Guardianship, Guardianship.child_id == Child.id).where(
            Guardianship.account_id == account_id, true() if former else guardianships.live()
        )
    ]
    if questioned:
        about = at_schools.join(LinkRequest, LinkRequest.child_id == Child.id)
        about = about.where(LinkRequest.account_id == account_id, link_questions.waits())
        pupils.append(about)
    work = select(StaffRole.school_id, StaffRole.role, StaffRole.may_print.label("may_print"))
    rows: Sequence[Any] = db.session.execute(
        union_all(work.where(StaffRole.account_id == account_id), *pupils)
    ).all()
    schools = sorted({row.school_id for row in rows if row.role is None})
    return schools, desk.with_roles(account_id, [row for row in rows if row.role is not None])


def _on_pupil(
    staff: Staff,
    school_scope: SchoolScope,
    child_id: str,
    account_id: str | None = None,
    is_theirs: ColumnElement[bool] | None = None,
) -> OnPupil:
    # First the account, as everywhere
    account = accounts.lock_account(account_id) if account_id is not None else None
    row = db.session.execute(
        select(Child, true() if is_theirs is None else is_theirs)
        .where(Child.id == child_id, scope.children(school_scope))
        .with_for_update(key_share=True, of=Child)
        .execution_options(populate_existing=True)
    ).one_or_none()
    if row is None:
        raise NotFound("child", child_id)
    child, theirs = row
    if account_id is not None and (account is None or not theirs):
        raise NotFound("account", account_id)
    return OnPupil(
        staff=staff,
        school_scope=school_scope,
        schools=[child.school_id],
        about={"child_id": child_id} | ({"account_id": account_id} if account_id else {}),
        child=child,
        account=account,
    )
