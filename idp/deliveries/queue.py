"""The queue of deliveries: claimed by one worker at a time, those of one subject in their order."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import (
    ColumnElement,
    Select,
    and_,
    case,
    exists,
    func,
    literal,
    or_,
    select,
    true,
)
from sqlalchemy.orm import aliased, lazyload

from idp import clock
from idp.clients.models import Client
from idp.database import db, release_connection, transaction, update_all
from idp.deliveries import pauses
from idp.deliveries.hearing import LOGOUTS
from idp.deliveries.models import DeliveryPause, EventDelivery
from idp.oidc.models import Consent, Grant
from idp.people.guardianships import LiveGuardianship
from idp.people.models import Account, Child

BATCH: Final = 20
"""Deliveries to one application that a thread takes at once."""
LEASE: Final = timedelta(seconds=30)
"""How long they are its own: a batch is sent for ten seconds, its last one for five more."""

# Written out, so that a partial index is found whatever is prepared
WAITS: Final = EventDelivery.status == literal("waiting", literal_execute=True)


@dataclass(frozen=True)
class Claimed:
    """A delivery that is this worker's for a while, with all that its token speaks of."""

    row: EventDelivery
    client: Client
    account: Account
    child: Child | None
    lease: datetime
    overtaken: bool = False
    """Whether the application has got something since that says the contrary: a grant of the same
    guardian, about the same child where it is about one, while what ended holds again."""
    failing: bool = False
    """Whether the application did not take what it was sent last."""
    probes: bool = False
    """Whether it is spared, but for this."""


def next_client(busy: Collection[str] = (), *, spared_too: bool = True) -> str | None:
    """The application that waits longest, but for these and those that are spared; by a walk from
    application to application, so that a long backlog of one costs the others nothing.

    ``spared_too``: those whose pause is over, which may hang again. Without a lock: an idle worker
    must not take SQLite's only write lock each second.
    """
    now = clock.now()
    waiting = _waiting_clients()
    spared = pauses.spared()
    if spared_too:
        spared = spared.where(DeliveryPause.until > now)
    due: str | None = db.session.scalar(
        select(waiting.c.client_id)
        .where(
            waiting.c.due_at <= now,
            waiting.c.client_id.not_in(busy),
            waiting.c.client_id.not_in(spared),
        )
        .order_by(waiting.c.due_at)
        .limit(1)
    )
    release_connection()
    return due


def _waiting_clients() -> Any:
    """Each application for which something waits, and since when: one look into an index each."""
    first = select(func.min(EventDelivery.client_id).label("client_id")).where(WAITS)
    waiting = first.cte("clients_waiting", recursive=True)
    following = select(func.min(EventDelivery.client_id)).where(
        WAITS, EventDelivery.client_id > waiting.c.client_id
    )
    waiting = waiting.union_all(
        select(following.correlate(waiting).scalar_subquery()).where(
            waiting.c.client_id.is_not(None)
        )
    )
    oldest = select(func.min(EventDelivery.due_at)).where(
        WAITS, EventDelivery.client_id == waiting.c.client_id
    )
    oldest_of_each = select(
        waiting.c.client_id, oldest.correlate(waiting).scalar_subquery().label("due_at")
    )
    return oldest_of_each.where(waiting.c.client_id.is_not(None)).subquery()


def claim(client_id: str, limit: int = BATCH) -> list[Claimed]:
    """Take what is due for an application; where it is spared and its pause is over, one thing to
    try, of what was tried least often. What another worker holds is passed over.
    """
    now = clock.now()
    lease = now + LEASE
    with transaction() as session:
        pause = pauses.lock_pause(client_id)
        until = pause.until if pause is not None else None
        if until is not None and until > now:
            return []
        probes = until is not None
        ids = session.scalars(_due(client_id, now, 1 if probes else limit, probes=probes)).all()
        if not ids:
            return []
        if probes:  # nobody else tries meanwhile
            update_all(DeliveryPause, DeliveryPause.client_id == client_id, until=lease)
        update_all(EventDelivery, EventDelivery.id.in_(ids), due_at=lease)
        rows = session.execute(_with_all_it_speaks_of(ids)).all()
    return [
        Claimed(row, client, account, child, lease, overtaken, pause is not None, probes)
        for row, client, account, child, overtaken in rows
    ]


def _due(client_id: str, now: datetime, limit: int, *, probes: bool) -> Select[Any]:
    oldest = EventDelivery.attempts if probes else EventDelivery.due_at
    return (
        select(EventDelivery.id)
        .where(WAITS, EventDelivery.client_id == client_id, EventDelivery.due_at <= now)
        .where(_is_next_of_its_subject())
        .order_by(oldest, EventDelivery.id)
        .limit(limit)
        .with_for_update(skip_locked=True)
    )


def _is_next_of_its_subject() -> ColumnElement[bool]:
    """Nothing waits that was to be told of the same subject before. What has ended for ever – a
    session – has no order.
    """
    before = aliased(EventDelivery)
    same = (
        before.client_id == EventDelivery.client_id,
        before.account_id == EventDelivery.account_id,
        before.child_id.is_not_distinct_from(EventDelivery.child_id),
        before.session_id.is_not_distinct_from(EventDelivery.session_id),
    )
    waits = before.status == literal("waiting", literal_execute=True)
    earlier = select(before.id).where(
        *same, before.id < EventDelivery.id, waits, before.event.not_in(LOGOUTS)
    )
    return or_(EventDelivery.event.in_(LOGOUTS), ~earlier.correlate(EventDelivery).exists())


def _with_all_it_speaks_of(ids: Sequence[int]) -> Select[*tuple[Any, ...]]:
    since = exists().where(
        Grant.account_id == EventDelivery.account_id,
        Grant.client_id == EventDelivery.client_id,
        Grant.created_at > EventDelivery.created_at,
        Grant.ended_at.is_(None),
        Grant.session_id.is_distinct_from(EventDelivery.session_id),
        or_(EventDelivery.child_id.is_(None), Grant.child_id == EventDelivery.child_id),
    )
    return (
        select(EventDelivery, Client, Account, Child, and_(since, _holds_again()))
        .join(Client, Client.id == EventDelivery.client_id)
        .join(Account, Account.id == EventDelivery.account_id)
        .outerjoin(Child, Child.id == EventDelivery.child_id)
        .where(EventDelivery.id.in_(ids))
        .order_by(EventDelivery.id)
        # Its inner join would leave out what is about no child
        .options(lazyload(Child.school))
        .execution_options(populate_existing=True)
    )


def _holds_again() -> ColumnElement[bool]:
    """What the delivery says has ended holds now. A grant alone does not say so: one that is made
    while the ending is not yet committed is the later of the two, and stands on what has ended.
    """
    guardianship = exists().where(
        LiveGuardianship.account_id == EventDelivery.account_id,
        LiveGuardianship.child_id == EventDelivery.child_id,
    )
    consent = exists().where(
        Consent.account_id == EventDelivery.account_id,
        Consent.client_id == EventDelivery.client_id,
        Consent.withdrawn_at.is_(None),
    )
    return case(
        (EventDelivery.event == "guardianship-ended", guardianship),
        (EventDelivery.event == "consent-withdrawn", consent),
        (EventDelivery.event == "account-disabled", Account.status == "active"),
        else_=true(),
    )
