"""Who is at the desk, with which rights, at which schools: decided here and nowhere else.

A face asks for a right and gets a *scope*: the schools at which this person has it. The scope
goes into the queries (``idp.desk.access.scope``), so that what lies outside is not refused but
absent (security rules A1 and A2).
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, Final

from idp.errors import Conflict
from idp.people import staff
from idp.people.models import School


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
    work = staff.work_of(account_id)
    if since is not None:
        work = [(role, school) for role, school in work if role.granted_at <= since]
    if not work:
        return None
    schools = {role.school_id: school for role, school in work}
    only = work[0][1] if len(schools) == 1 else None
    return Staff(account_id, _school_scopes(role for role, _school in work), only)


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
