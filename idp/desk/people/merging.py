"""Two accounts of one person become one: the pupils move, secrets never.

Somebody who signs in with either did so by proof; a password, a passkey or a link that moved
would open one account with what was proved for another. So only guardianships move. Within a
scope this looks the same whether or not the closed account lives on elsewhere (rule C3).
"""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import select

from idp.database import db, retried, update_all
from idp.desk.access import scope
from idp.desk.access.acts import OnTwo, act_on_two
from idp.desk.access.rights import Right, SchoolScope, Staff
from idp.desk.people.account_actions import Reason, end_within
from idp.desk.people.onboarding import Onboarding, onboarding_of
from idp.desk.people.page import live_guardian, refuse_colleagues, sharing
from idp.errors import Invalid
from idp.mail import outbox
from idp.people import guardianships, linking
from idp.people import staff as roles
from idp.people.models import Account, Child, Guardianship
from idp.roster.models import RosterIdentity


@dataclass(frozen=True)
class Side:
    """One of the two: who it is, how far they came, whose guardian they are here."""

    account: Account
    onboarding: Onboarding
    children: list[tuple[Child, str]]
    """Each pupil within the scope, and what they are to it."""
    has_role: bool
    """Whether they work at a desk: such an account stays, without pupils."""
    shares: list[Account]
    """Other guardians, not of the two, whose mail goes to the same mailbox."""


def preview(staff: Staff, first_id: str, second_id: str) -> tuple[Side, Side]:
    """Both accounts, side by side; raises ``NotFound``, ``Conflict``, ``Invalid``."""
    school_scope = staff.school_scope(Right.CHANGE_PEOPLE)
    first, second = (live_guardian(school_scope, each) for each in (first_id, second_id))
    _refuse_odd_pairs(first, second)
    refuse_colleagues(staff, first_id, second_id, peers=False)
    onboarding = onboarding_of([first_id, second_id], school_scope)
    links = _live_links(school_scope, first_id, second_id)
    working = roles.any_of([first_id, second_id])
    sides = [
        Side(
            account,
            onboarding[account.id],
            [(child, link.relationship) for link, child in links if link.account_id == account.id],
            account.id in working,
            [each for each in sharing(staff, account.id) if each.id not in {first_id, second_id}],
        )
        for account in (first, second)
    ]
    return sides[0], sides[1]


@retried
def merge(staff: Staff, keep_id: str, close_id: str) -> int:
    """Move the pupils of the one to the other, and close it within the scope.

    Returns how many guardianships the kept account gained. The holders of both are told by mail:
    it may be two people's. Raises ``NotFound`` (also to whoever comes second), ``Conflict``,
    ``Invalid``.
    """
    with act_on_two(staff, Right.CHANGE_PEOPLE, keep_id, close_id) as on:
        _refuse_odd_pairs(on.account, on.other.account)
        on.other.refuse_yourself()
        keep, close, schools = on.account, on.other.account, on.other.schools
        gained = _move(on, close_id)
        _move_identities(on, close_id)
        end_within(on.other, Reason("merged"))
        on.record("accounts_merged", at=schools, closed=close_id)
        if close.email:
            about: dict[str, Any] = {
                "kept_id": keep_id,
                "school_id": schools[0] if len(schools) == 1 else None,
            }
            outbox.enqueue("account_merged_away", account_id=close_id, about=about)
        if keep.email:
            about = {"closed_id": close_id}
            if not on.school_scope.everywhere:
                about["schools"] = schools  # another school does not learn of it (rule C3)
            outbox.enqueue("accounts_merged", account_id=keep_id, about=about)
    return gained


def _refuse_odd_pairs(first: Account, second: Account) -> None:
    if "disabled" in {first.status, second.status}:
        raise Invalid("account", "disabled")
    if first.id == second.id:
        raise Invalid("account", "same")


def _move(on: OnTwo, close_id: str) -> int:
    """Give the kept account the guardianships that only the other has."""
    keep_id = on.account.id
    links = _live_links(on.school_scope, keep_id, close_id)
    has = {child.id for link, child in links if link.account_id == keep_id}
    moving = [
        (child, link.relationship)
        for link, child in links
        if link.account_id == close_id and child.id not in has
    ]
    for child, relationship in moving:  # a person's pupils: a handful
        linking.link_guardian(keep_id, child.id, relationship)
    return len(moving)


def _move_identities(on: OnTwo, close_id: str) -> None:
    """The next import of these schools means the kept account by the same number."""
    at_these_schools = scope.at(on.school_scope, RosterIdentity.school_id)
    theirs = RosterIdentity.account_id == close_id
    update_all(RosterIdentity, theirs, at_these_schools, account_id=on.account.id)


def _live_links(school_scope: SchoolScope, *account_ids: str) -> list[tuple[Guardianship, Child]]:
    rows = db.session.execute(
        select(Guardianship, Child)
        .join(Child, Child.id == Guardianship.child_id)
        .where(
            Guardianship.account_id.in_(account_ids),
            guardianships.live(),
            scope.children(school_scope),
        )
        .order_by(Child.given_name, Child.id)
        .execution_options(populate_existing=True)
    )
    return [(link, child) for link, child in rows]
