"""What applications were told of a guardian, as one school may see it: its own applications, and of
pupils its own.
"""

from sqlalchemy import or_, select

from idp.clients.models import ClientSchool
from idp.deliveries import listing
from idp.deliveries.listing import Shown
from idp.deliveries.models import EventDelivery
from idp.desk.access import scope
from idp.desk.access.rights import SchoolScope
from idp.people.models import Child


def notifications_of(
    school_scope: SchoolScope, account_id: str, child_id: str | None = None
) -> list[Shown]:
    """The newest first; ``child_id``: only what is about this guardian and this child."""
    ours = select(ClientSchool.client_id).where(scope.at(school_scope, ClientSchool.school_id))
    which = [EventDelivery.account_id == account_id, EventDelivery.client_id.in_(ours)]
    if child_id is not None:
        return listing.newest(*which, EventDelivery.child_id == child_id)
    pupils = select(Child.id).where(scope.children(school_scope))
    seen = or_(EventDelivery.child_id.is_(None), EventDelivery.child_id.in_(pupils))
    return listing.newest(*which, seen)
