"""The section of an account's export that holds what imports keep about a guardian."""

from sqlalchemy import select

from idp.database import db
from idp.people.models import Account, School
from idp.privacy.export import Content, section
from idp.roster.models import RosterIdentity


@section("school_lists", tables=("roster_identities",))
def school_lists(account: Account) -> Content:
    """Whose lists name me, and by which number; where a list has none, by nothing that I know."""
    rows = db.session.execute(
        select(School.name, RosterIdentity.sourced_id)
        .join(RosterIdentity, RosterIdentity.school_id == School.id)
        .where(RosterIdentity.account_id == account.id)
        .order_by(School.name, School.id, RosterIdentity.sourced_id)
    )
    # After a tilde stands a keyed hash of a name and an address
    return [
        {"school": school, "number": None if number.startswith("~") else number}
        for school, number in rows
    ]
