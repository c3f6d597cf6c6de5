"""Who may see which pupil: links made, named otherwise, and ended with a reason.

The pupil decides: it lies within the reach or is not found. Raises ``NotFound`` and
``people.Refused``.
"""

from sqlalchemy import select

from idp.database import db, retried, transaction
from idp.desk.acts import Reason
from idp.desk.people import NotFound, child_within, guardian
from idp.desk.staff import Reach, Right, Staff
from idp.lifecycle import families
from idp.people import changes
from idp.people import service as people
from idp.people.models import Account, Child, Guardianship
from idp.people.names import Refused


@retried
def link(staff: Staff, account_id: str, child_id: str, relationship: str) -> bool:
    """Let somebody who is or was guardian within the reach see a pupil; again, where it ended.

    False where they are its guardian already. An account that was closed with its last
    guardianship opens again.
    """
    reach = staff.reach(Right.CHANGE_PEOPLE)
    with transaction():
        child = child_at_school(reach, child_id)
        guardian(reach, account_id)
        return join(account_id, child, relationship)


def join(account_id: str, child: Child, relationship: str) -> bool:
    """Link an account and a pupil, in the caller's transaction; false where they were."""
    with transaction():
        people.hold_account(account_id)
        if is_live(account_id, child.id):
            return False
        families.open_again(account_id)
        people.link_guardian(account_id, child.id, relationship)
    return True


@retried
def end(staff: Staff, account_id: str, child_id: str, reason: Reason) -> bool:
    """End a guardianship, with all that hangs on it; false where it had ended."""
    why = reason.checked()
    reach = staff.reach(Right.CHANGE_PEOPLE)
    with transaction():
        _linked(reach, account_id, child_id)
        return families.end_guardianship(account_id, child_id, why.text, why.code)


@retried
def rename(staff: Staff, account_id: str, child_id: str, relationship: str) -> bool:
    """Say otherwise what somebody is to a pupil; false where it stays."""
    reach = staff.reach(Right.CHANGE_PEOPLE)
    with transaction():
        child = _linked(reach, account_id, child_id)
        return changes.change_relationship(account_id, child, relationship)


def child_at_school(reach: Reach, child_id: str) -> Child:
    """A pupil that has not left; raises ``NotFound``, ``Refused``."""
    child = child_within(reach, child_id)
    if child.left_at is not None:
        raise Refused("child", "has left the school")
    return child


def is_live(account_id: str, child_id: str) -> bool:
    """Whether somebody is guardian of a pupil now."""
    return people.hold_guardianship(account_id, child_id)


def _linked(reach: Reach, account_id: str, child_id: str) -> Child:
    """The pupil, if this account is or was its guardian."""
    child = child_within(reach, child_id)
    known = select(Account.id).join(Guardianship, Guardianship.account_id == Account.id)
    known = known.where(Account.id == account_id, Guardianship.child_id == child_id)
    if db.session.scalar(known.limit(1)) is None:
        raise NotFound(account_id)
    return child
