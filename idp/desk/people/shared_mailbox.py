"""Whose mail goes to one mailbox: told where somebody is separated, merged or given an address.

Only of guardians within the reach: that an address is used elsewhere is told by nothing (rule C3).
"""

from sqlalchemy import select
from sqlalchemy.orm import aliased

from idp.database import db
from idp.desk.access import scope
from idp.desk.access.rights import Right, Staff
from idp.people.models import Account
from idp.people.names import email_key

MOST = 5


def sharing(staff: Staff, account_id: str, email: str | None = None) -> list[Account]:
    """Other guardians within the reach whose address is the account's, or ``email``."""
    theirs = aliased(Account)
    stored = select(theirs.email_key).where(theirs.id == account_id).scalar_subquery()
    query = select(Account).where(
        Account.email_key == (stored if email is None else email_key(email)),
        Account.id != account_id,
        Account.status != "disabled",
        scope.live_guardians(staff.reach(Right.LOOK_UP)),
    )
    return list(db.session.scalars(query.order_by(Account.username_key).limit(MOST)))
