"""Who may see which pupil: links made, named otherwise, and ended with a reason.

The pupil decides: it lies within the scope or is not found. Whoever is guardian within the scope
now is linked at once, and told by mail. A former guardian's account is another scope's, or
nobody's: where the last guardianship ended long ago, or a court or the guardian ended it, they are
asked (security rule N4). An operator links anybody. Raises ``NotFound`` and ``Invalid``.
"""

from collections.abc import Mapping
from enum import StrEnum

from sqlalchemy import select

from idp import clock
from idp.database import db, retried
from idp.desk.access import scope
from idp.desk.access.acts import OnPupil, act_on_guardianship, act_on_pupil
from idp.desk.access.rights import Right, SchoolScope, Staff
from idp.desk.people import meanwhile
from idp.desk.people.account_actions import Reason
from idp.errors import Conflict, Invalid
from idp.lifecycle import endings, link_requests
from idp.lifecycle.link_requests import Open
from idp.mail import outbox
from idp.people import guardianships, linking
from idp.people.models import FOR_GOOD, Child, Guardianship


class Linked(StrEnum):
    """What a wish to link came to."""

    NOW = "now"
    NOW_WITHOUT_MAIL = "now, without mail"
    """No mail says so: there is no address, or no first sign-in yet."""
    BEFORE = "before"
    """They were guardian of this pupil already."""
    WAITS_FOR_YES = "asked"
    """The guardian is asked by mail, and linked with their yes."""
    WAITS_WITHOUT_MAIL = "asked, without mail"
    """There is no address: they are asked on their own page alone."""


@retried
def link(staff: Staff, account_id: str, child_id: str, relationship: str) -> Linked:
    """Let somebody who is or was guardian within the scope see a pupil; again, where it ended.

    An account that was closed with its last guardianship opens again.
    """
    with act_on_pupil(staff, Right.CHANGE_PEOPLE, child_id, guardian_id=account_id) as on:
        return connect(on, account_id, relationship)


def connect(on: OnPupil, account_id: str, relationship: str) -> Linked:
    """Link the account of an act and its pupil, or ask first."""
    refuse_gone(on.child)
    if guardianships.lock_guardianship(account_id, on.child.id):
        return Linked.BEFORE
    has_address = on.account is not None and bool(on.account.email)
    if _is_asked_first(on.school_scope, account_id):
        link_requests.request_link(account_id, on.child, relationship)
        return Linked.WAITS_FOR_YES if has_address else Linked.WAITS_WITHOUT_MAIL
    endings.open_again(account_id)
    linking.link_guardian(account_id, on.child.id, relationship)
    if on.account is not None and on.account.status == "active":  # others get an invitation
        about = {"school_id": on.child.school_id}
        outbox.enqueue("guardianship_made", account_id=account_id, about=about)
        if has_address:
            return Linked.NOW
    return Linked.NOW_WITHOUT_MAIL


def _is_asked_first(school_scope: SchoolScope, account_id: str) -> bool:
    """Whether the link would bring somebody back into the scope who has been out of it."""
    if school_scope.everywhere:
        return False
    ended_at = guardianships.over_since()
    rows = db.session.execute(
        select(ended_at, Guardianship.ended_code)
        .join(Child, Child.id == Guardianship.child_id)
        .where(Guardianship.account_id == account_id, scope.children(school_scope))
        .order_by(ended_at.is_not(None), ended_at.desc())
        .limit(1)
    ).all()
    if not rows or rows[0][0] is None:
        return not rows
    last, code = rows[0]
    return code in FOR_GOOD or clock.now() - last > link_requests.LONG_AGO


@retried
def end(staff: Staff, account_id: str, child_id: str, reason: Reason) -> bool:
    """End a guardianship, with all that hangs on it, or the question whether there is to be one;
    false where it had ended.
    """
    why = reason.checked()
    with act_on_guardianship(staff, Right.CHANGE_PEOPLE, account_id, child_id) as on:
        if endings.end_guardianship(account_id, child_id, why.text, why.code):
            return True
        return link_requests.withdraw(account_id, on.child, why.code)


def questions_to(school_scope: SchoolScope, account_id: str) -> list[Open]:
    """What the schools of the scope ask somebody, the oldest first."""
    return link_requests.waiting_at(account_id, scope.children(school_scope))


@retried
def withdraw_question(staff: Staff, account_id: str, child_id: str) -> bool:
    """Take back the question whether somebody is to be linked; false where it was answered, or is
    over.
    """
    with act_on_guardianship(staff, Right.CHANGE_PEOPLE, account_id, child_id) as on:
        return link_requests.withdraw(account_id, on.child)


@retried
def rename(
    staff: Staff,
    account_id: str,
    child_id: str,
    relationship: str,
    shown: Mapping[str, str] | None = None,
) -> bool:
    """Say otherwise what somebody is to a pupil; false where it stays. ``shown``: see
    ``meanwhile.kept``. Raises ``Conflict`` where the guardianship has ended.
    """
    with act_on_guardianship(staff, Right.CHANGE_PEOPLE, account_id, child_id) as on:
        link = guardianships.find(account_id, child_id, lock=True)
        if link is None:
            raise Conflict("guardianship_over")
        stored = {"relationship": link.relationship}
        meanwhile.kept({"relationship": relationship}, shown, stored)
        return linking.change_relationship(link, on.child, relationship)


def refuse_gone(child: Child) -> None:
    """Raise ``Invalid`` for a pupil that has left."""
    if child.left_at is not None:
        raise Invalid("child", "has_left")
