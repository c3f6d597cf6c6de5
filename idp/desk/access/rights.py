"""Who is at the desk, with which rights, at which schools: decided here and nowhere else.

A face asks for a right and gets a *scope*: the schools at which this person has it. The scope
goes into the queries (``idp.desk.access.scope``), so that what lies outside is not refused but
absent (security rules A1 and A2).
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, Final

from idp.errors import Conflict
from idp.people import staff
from idp.people.models import School, StaffRole


class Right(StrEnum):
    """One thing that staff may do. Whatever is not here, nobody may."""

    LOOK_UP = "look_up"
    """Find guardians and pupils, and see their page."""
    SEND_TOKENS = "send_tokens"
    PRINT_LETTERS = "print_letters"
    """Letters hold tokens in clear: a right of its own, given by name (security rule A5)."""
    CHANGE_PEOPLE = "change_people"
    DISABLE_ACCOUNTS = "disable_accounts"
    """Disable an account as a whole, for every school, and let it in again."""
    IMPORT_ROSTER = "import_roster"
    EDIT_SCHOOL = "edit_school"
    MAKE_SCHOOL = "make_school"
    SEE_CLIENTS = "see_clients"
    EDIT_CLIENTS = "edit_clients"
    SEE_OVERVIEW = "see_figures"
    READ_AUDIT_LOG = "read_journal"
    GIVE_ROLES = "give_roles"
    RESET_FACTORS = "reset_factors"
    """Ask for the reset of a lost second step, or confirm it: ``idp.desk.people.factor_resets``."""


_HELPER: Final = frozenset({Right.LOOK_UP, Right.SEND_TOKENS})
_MANAGER: Final = _HELPER | {
    Right.CHANGE_PEOPLE,
    Right.IMPORT_ROSTER,
    Right.EDIT_SCHOOL,
    Right.SEE_CLIENTS,
    Right.SEE_OVERVIEW,
    Right.READ_AUDIT_LOG,
    Right.GIVE_ROLES,
    Right.RESET_FACTORS,
}
RIGHTS: Final[Mapping[str, frozenset[Right]]] = {
    "helper": _HELPER,
    "manager": _MANAGER,
    "operator": frozenset(Right) - {Right.PRINT_LETTERS},
}
"""What each role may do. ``StaffRole.may_print`` adds the letters."""


@dataclass(frozen=True)
class SchoolScope:
    """At which schools somebody has a right: everywhere, or at these."""

    everywhere: bool = False
    school_ids: frozenset[str] = frozenset()

    def covers(self, school_id: str) -> bool:
        """Whether the right is had at this school."""
        return self.everywhere or school_id in self.school_ids

    def includes(self, other: "SchoolScope") -> bool:
        """Whether the right is had wherever ``other`` has it."""
        return self.everywhere or (not other.everywhere and other.school_ids <= self.school_ids)

    @property
    def any(self) -> bool:
        """Whether the right is had at all."""
        return self.everywhere or bool(self.school_ids)


@dataclass(frozen=True)
class Staff:
    """Somebody at the desk. ``account_id`` is empty at a terminal, whose user has the server."""

    account_id: str
    school_scopes: Mapping[Right, SchoolScope] = field(default_factory=dict)
    school: School | None = field(default=None, compare=False)
    """Where this person works, if that is one school."""

    def school_scope(self, right: Right) -> SchoolScope:
        """Where this person has the right."""
        return self.school_scopes.get(right, SchoolScope())

    def may(self, right: Right) -> bool:
        """Whether this person has the right anywhere."""
        return self.school_scope(right).any

    def includes(self, other: "Staff") -> bool:
        """Whether this person has every right that the other has, wherever they have it."""
        return all(
            self.school_scope(right).includes(school_scope)
            for right, school_scope in other.school_scopes.items()
        )

    def refuse_wider(self, holder: "Staff") -> None:
        """Refuse (``operator_only``) where somebody acted on has a right that this person lacks.

        Who may correct an address may have a token mailed to it: a manager would become operator.
        """
        if not (self.is_operator or self.includes(holder)):
            raise Conflict("operator_only")

    def refuse_peer(self, holder: "Staff") -> None:
        """Refuse (``operator_only``, ``terminal_only``, ``yourself``) where somebody acted on may
        be one of the two whom a reset takes, and this person has no strictly wider right.

        Whoever is handed the account of an equal is two people: docs/decisions/four-eyes.md.
        """
        if not self.account_id or not holder.may(Right.RESET_FACTORS):
            return
        if holder.account_id == self.account_id:
            raise Conflict("yourself")
        if holder.is_operator:
            raise Conflict("terminal_only")
        if not self.is_operator:
            raise Conflict("operator_only")

    def may_open(self, holder: "Staff") -> bool:
        """Whether an act that may hand the holder's account to who acts is not refused."""
        return not _is_refused(self.refuse_wider, holder) and self.may_send_to(holder)

    def may_send_to(self, holder: "Staff") -> bool:
        """Whether this person may have a token mailed to the holder's address as it stands."""
        return not _is_refused(self.refuse_peer, holder)

    def may_close(self, holder: "Staff") -> bool:
        """Whether this person may end all that the holder is as a guardian."""
        is_own = self.account_id == holder.account_id
        return not is_own and not _is_refused(self.refuse_wider, holder)

    @property
    def has_role(self) -> bool:
        """Whether this person has any role, so that their account stays, children or not."""
        return bool(self.school_scopes)

    @property
    def is_operator(self) -> bool:
        """Whether this person works for the platform, not for some of its schools."""
        return self.school_scope(Right.MAKE_SCHOOL).everywhere


AT_TERMINAL: Final = Staff("", {right: SchoolScope(everywhere=True) for right in Right})
"""Whoever runs ``idp`` has the database and the keys: nothing is kept from them."""


def staff_of(account_id: str, *, since: datetime | None = None) -> Staff | None:
    """The account as staff; None for everybody else. One query.

    ``since``: by the roles alone that were given by then.
    """
    now, then = staff_now_and(account_id, since)
    return now if since is None else then


def staff_now_and(account_id: str, since: datetime | None) -> tuple[Staff | None, Staff | None]:
    """The account as staff, by all its roles and by those alone that were given by ``since``."""
    work = staff.work_of(account_id)
    old = [each for each in work if since is not None and each[0].granted_at <= since]
    return _staff(account_id, work), _staff(account_id, old)


def _staff(account_id: str, work: Sequence[tuple[StaffRole, School | None]]) -> Staff | None:
    if not work:
        return None
    schools = {role.school_id: school for role, school in work}
    only = work[0][1] if len(schools) == 1 else None
    return Staff(account_id, _school_scopes(role for role, _school in work), only)


def _is_refused(refuse: Callable[[Staff], None], holder: Staff) -> bool:
    try:
        refuse(holder)
    except Conflict:
        return True
    return False


def with_roles(account_id: str, roles: Iterable[Any]) -> Staff:
    """The account with these roles: rows that have ``role``, ``school_id`` and ``may_print``."""
    return Staff(account_id, _school_scopes(roles))


def _school_scopes(roles: Iterable[Any]) -> dict[Right, SchoolScope]:
    school_scopes: dict[Right, SchoolScope] = {}
    for role in roles:
        rights = RIGHTS[role.role] | ({Right.PRINT_LETTERS} if role.may_print else set())
        for right in rights:
            before = school_scopes.get(right, SchoolScope())
            school_ids = frozenset({role.school_id} if role.school_id else ())
            school_scopes[right] = SchoolScope(
                before.everywhere or role.school_id is None, before.school_ids | school_ids
            )
    return school_scopes
