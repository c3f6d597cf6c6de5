"""How an application that does not answer is spared: one pause for all that it is due.

An event that it does not take, though it answers, may be the event's fault: after a few in a row it
is the application's. When the pause is over one thing is tried; if that is taken, all flows again.
"""

from datetime import timedelta
from typing import Any, Final

from sqlalchemy import Select, select

from idp import clock
from idp.database import delete_all, transaction, update_all, upserting
from idp.deliveries.models import DeliveryPause
from idp.workers import growing_pause

FIRST: Final = timedelta(seconds=5)
LONGEST: Final = timedelta(minutes=15)
FOR_MINUTES: Final = 6
"""Failures after which an application was spared for two minutes and a half in all."""
A_FEW: Final = 3
"""Things in a row that an application answers to, and does not take, before it is spared."""


def lock_pause(client_id: str) -> DeliveryPause | None:
    """What is known of an application's last failures, in the caller's transaction."""
    with transaction() as session:
        query = select(DeliveryPause).where(DeliveryPause.client_id == client_id).with_for_update()
        query = query.execution_options(populate_existing=True)
        pause: DeliveryPause | None = session.scalars(query).one_or_none()
    return pause


def failed(client_id: str, *, away: bool, anew: bool, probes: bool) -> bool:
    """Note that it did not take what it was sent; returns whether it is spared from now on.

    ``away``: it did not answer, or asked to be left alone; ``anew``: it took something just before.
    """
    with transaction() as session:
        pause = lock_pause(client_id)
        if not probes and pause is not None and _goes_on(pause):
            return True  # what was under way when another thread found out
        first = upserting(DeliveryPause).values(client_id=client_id, failures=1, until=None)
        failures: int = session.scalar(
            first.on_conflict_do_update(
                index_elements=["client_id"],
                set_={"failures": 1 if anew else DeliveryPause.failures + 1},
            ).returning(DeliveryPause.failures)
        )
        spared = away or failures >= A_FEW
        until = clock.now() + growing_pause(FIRST, failures, LONGEST) if spared else None
        update_all(DeliveryPause, DeliveryPause.client_id == client_id, until=until)
    return spared


def not_tried(client_id: str, after: timedelta) -> None:
    """Note that what was to be tried was not: somebody may, ``after`` this time."""
    update_all(DeliveryPause, DeliveryPause.client_id == client_id, until=clock.now() + after)


def took_something(client_id: str) -> None:
    """Forget its failures."""
    delete_all(DeliveryPause, DeliveryPause.client_id == client_id)


def _goes_on(pause: DeliveryPause) -> bool:
    return pause.until is not None and pause.until > clock.now()


def spared() -> Select[Any]:
    """The applications that are, those included whose pause is over."""
    return select(DeliveryPause.client_id).where(DeliveryPause.until.is_not(None))
