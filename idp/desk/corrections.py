"""What a school wrote wrongly about a guardian: the name, the user name.

Of guardians within the reach *now*; the holder is told by mail, for what a school corrects is
theirs at every other school too. Raises ``NotFound``, ``Conflict``, ``Invalid``.
"""

from dataclasses import dataclass

from idp.database import retried, transaction
from idp.desk import journal
from idp.desk.people import live_guardian, refuse_wider_roles, schools_concerned
from idp.desk.staff import Right, Staff
from idp.mail import outbox
from idp.people import accounts


@dataclass(frozen=True)
class Corrected:
    """Whether anything was different, and whether the holder has an address and so is told."""

    changed: bool
    told: bool = False


@retried
def correct_name(staff: Staff, account_id: str, given_name: str, family_name: str) -> Corrected:
    """Another name on the school's word.

    Of names the journal tells only that they changed (security rule L1).
    """
    reach = staff.reach(Right.CHANGE_PEOPLE)
    with transaction():
        account = live_guardian(reach, account_id, hold=True)
        refuse_wider_roles(staff, account_id)
        if not accounts.change_name(account, given_name, family_name):
            return Corrected(changed=False)
        for school_id in schools_concerned(reach, account_id):
            journal.record("account_changed", school_id=school_id, account_id=account_id)
        outbox.enqueue("account_corrected", account_id=account_id)
    return Corrected(changed=True, told=bool(account.email))


@retried
def correct_username(staff: Staff, account_id: str, username: str) -> Corrected:
    """Another user name on the school's word.

    Password, passkeys, links and sessions stay: they belong to the account, not to its name.
    """
    reach = staff.reach(Right.CHANGE_PEOPLE)
    with transaction():
        account = live_guardian(reach, account_id, hold=True)
        refuse_wider_roles(staff, account_id)
        before = account.username
        if not accounts.change_username(account, username):
            return Corrected(changed=False)
        for school_id in schools_concerned(reach, account_id):
            journal.record(
                "username_changed",
                school_id=school_id,
                account_id=account_id,
                before={"user_name": before},
                after={"user_name": account.username},
            )
        outbox.enqueue("account_corrected", account_id=account_id)
    return Corrected(changed=True, told=bool(account.email))
