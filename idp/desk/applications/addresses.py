"""Whose address an application can't tell apart: numbers of guardians, never their names."""

from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import ColumnElement, and_, func, select

from idp.clients.metadata import has_made_up_email
from idp.clients.models import ClientSchool
from idp.database import db
from idp.desk.access import scope
from idp.desk.access.rights import Right, Staff
from idp.desk.applications.service import Application
from idp.people import platform_counts
from idp.people.guardianships import LiveGuardianship
from idp.people.models import Account

NAME: Final = "addresses "
"""Before an application's id: the name of its figures on the whole platform."""
_NOBODY: Final = {"shared": 0, "missing": 0}


@dataclass(frozen=True)
class Addresses:
    """Guardians of an application's schools, those within the scope."""

    shared: int
    """How many have the same address as another one of them."""
    missing: int
    """How many have none."""


def addresses_of(staff: Staff, application: Application) -> Addresses | None:
    """Who would share an account or be refused by software that goes by addresses. One query;
    None where all is well or not counted yet, or the application gets no address of theirs.
    """
    client = application.client
    if "email" not in client.metadata_["scope"].split() or has_made_up_email(client.metadata_):
        return None
    school_scope = staff.school_scope(Right.SEE_CLIENTS)
    which = (ClientSchool.client_id == client.id, scope.at(school_scope, ClientSchool.school_id))
    if not school_scope.everywhere:
        numbers = _counted(*which).get(client.id, _NOBODY)
    else:
        name = NAME + client.id
        whole = platform_counts.counted(name, lambda: _counted(*which).get(client.id, _NOBODY))
        numbers = whole.numbers if whole else _NOBODY
    return Addresses(**numbers) if any(numbers.values()) else None


def count() -> dict[str, Any]:
    """The numbers of every application on the whole platform, by the name of its figures; one
    query, over everybody.
    """
    return {NAME + client_id: numbers for client_id, numbers in _counted().items()}


def _counted(*which: ColumnElement[bool]) -> dict[str, dict[str, int]]:
    guardians = (
        select(ClientSchool.client_id, LiveGuardianship.account_id)
        .join(LiveGuardianship, LiveGuardianship.school_id == ClientSchool.school_id)
        .where(*which)
        .distinct()
        .subquery()
    )
    people = func.count().label("people")
    by_key = (
        select(guardians.c.client_id, Account.email_key, people)
        .join(Account, Account.id == guardians.c.account_id)
        .where(Account.status != "disabled")
        .group_by(guardians.c.client_id, Account.email_key)
        .subquery()
    )
    several = and_(by_key.c.email_key.is_not(None), by_key.c.people > 1)
    rows = db.session.execute(
        select(
            by_key.c.client_id,
            func.coalesce(func.sum(by_key.c.people).filter(several), 0),
            func.coalesce(func.sum(by_key.c.people).filter(by_key.c.email_key.is_(None)), 0),
        ).group_by(by_key.c.client_id)
    )
    return {
        client_id: {"shared": int(shared), "missing": int(missing)}
        for client_id, shared, missing in rows
    }
