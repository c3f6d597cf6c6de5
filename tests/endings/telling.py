"""What applications are to be told of, told once more from what has ended."""

from collections.abc import Collection, Iterator
from typing import Any

from sqlalchemy import func, select

from idp.clients import registration
from idp.clients.metadata import SECURITY_EVENTS
from idp.database import db
from idp.deliveries.models import EventDelivery
from idp.lifecycle.endings import Cause, Thing
from idp.lifecycle.endings_table import ENDINGS, By
from tests.endings.everything import Everything, Person

HEARS = {
    "backchannel_logout_uri": "https://portal.example/logout",
    "security_events_uri": "https://portal.example/events",
    "security_events": list(SECURITY_EVENTS),
}

Told = tuple[str, str, str, str | None, str | None]
"""Event, application, guardian, session, child."""

GUARDIANSHIP_ENDS = {Cause.GUARDIANSHIP_ENDED, Cause.SEPARATED, Cause.ACCESS_CLOSED}
BY_THE_APPLICATION = {By.PERMISSION, By.CLIENT}
"""Grants that end while their sessions go on here."""


def last() -> int:
    """The newest delivery."""
    return db.session.scalar(select(func.max(EventDelivery.id))) or 0


def told(after: int = 0, *, whom: Collection[str] = ()) -> list[Told]:
    """What was noted after this delivery, of these guardians if any are named."""
    db.session.rollback()
    of = EventDelivery
    columns = (of.event, of.client_id, of.account_id, of.session_id, of.child_id)
    query = select(*columns).where(of.id > after).order_by(of.id)
    if whom:
        query = query.where(of.account_id.in_(whom))
    return [(what, to, who, session, child) for what, to, who, session, child in _rows(query)]


def _rows(query: Any) -> Iterator[Any]:
    yield from db.session.execute(query)


def expected(cause: Cause, there: Everything) -> set[Told]:
    """What is to be told, from what has ended, whatever it ended by."""
    return {
        (event, client_id, person.id, session, child)
        for person in (there.claire, there.paul)
        for event, client_id, session, child in _of(cause, there, person)
        # Who is out of use is told nothing
        if registration.get_client(client_id).disabled_at is None
    }


def _of(
    cause: Cause, there: Everything, person: Person
) -> Iterator[tuple[str, str, str | None, str | None]]:
    clients = {"portal": there.portal.client.id, "other": there.other.client.id}
    ended = [each for each in there.kept if each.owner == person.id and not each.is_alive()]
    children = {each.given_name: each.id for each in person.children}
    for each in ended:
        if each.thing is Thing.SESSIONS:
            for client_id in clients.values():
                yield "logout", client_id, person.sessions[each.session], None
                yield "session-revoked", client_id, person.sessions[each.session], None
        elif each.thing is Thing.CONSENTS:
            yield "consent-withdrawn", clients[each.client], None, None
        elif each.thing is Thing.GRANTS and ENDINGS[cause].get(Thing.GRANTS) in BY_THE_APPLICATION:
            yield "logout", clients[each.client], person.sessions[each.session], None
        elif each.thing is Thing.CHILD_CONSENTS and cause in GUARDIANSHIP_ENDS:
            yield "guardianship-ended", clients[each.client], None, children[each.child]
    touched = any(each.thing is Thing.PROOFS for each in ended)
    if touched and cause in {Cause.ACCOUNT_DISABLED, Cause.ACCOUNT_CLOSED}:
        for client_id in clients.values():
            yield "account-disabled", client_id, None, None
