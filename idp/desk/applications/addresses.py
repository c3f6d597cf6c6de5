"""Whose address an application can't tell apart: numbers of guardians, never their names."""

from dataclasses import dataclass

from sqlalchemy import and_, func, select

from idp.clients.metadata import has_made_up_email
from idp.clients.models import ClientSchool
from idp.database import db
from idp.desk.access import scope
from idp.desk.access.rights import Right, Staff
from idp.desk.applications.service import Application
from idp.people.guardianships import LiveGuardianship
from idp.people.models import Account


@dataclass(frozen=True)
class Addresses:
    """Guardians of an application's schools, those within the scope."""

    shared: int
    """How many have the same address as another one of them."""
    missing: int
    """How many have none."""


def addresses_of(staff: Staff, application: Application) -> Addresses | None:
    """Who would share an account or be refused by software that goes by addresses. One query;
    None where all is well, or the application gets no address of theirs.
    """
    client = application.client
    if "email" not in client.metadata_["scope"].split() or has_made_up_email(client.metadata_):
        return None
    served = select(ClientSchool.school_id).where(ClientSchool.client_id == client.id)
    guardians = select(LiveGuardianship.account_id).where(
        LiveGuardianship.school_id.in_(served),
        scope.at(staff.school_scope(Right.SEE_CLIENTS), LiveGuardianship.school_id),
    )
    by_key = (
        select(Account.email_key, func.count().label("people"))
        .where(Account.id.in_(guardians), Account.status != "disabled")
        .group_by(Account.email_key)
        .subquery()
    )
    several = and_(by_key.c.email_key.is_not(None), by_key.c.people > 1)
    shared, missing = db.session.execute(
        select(
            func.coalesce(func.sum(by_key.c.people).filter(several), 0),
            func.coalesce(func.sum(by_key.c.people).filter(by_key.c.email_key.is_(None)), 0),
        )
    ).one()
    return Addresses(int(shared), int(missing)) if shared or missing else None
