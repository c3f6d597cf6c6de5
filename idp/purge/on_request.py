"""What has to be done before somebody is erased by hand."""

from dataclasses import dataclass

from sqlalchemy import func, select

from idp.audit import removal
from idp.database import db
from idp.deliveries.models import EventDelivery
from idp.mail.models import OutboxMessage
from idp.people import staff
from idp.people.models import Account, Child, ErasureRequest
from idp.purge import erasing


@dataclass(frozen=True)
class Open:
    """What still is to happen to an account that is to be erased."""

    is_open: bool
    has_role: bool
    is_asked: bool
    mails: int
    deliveries: int


def find_open(account: Account) -> Open:
    """What stands against erasing the account now."""
    waiting = select(ErasureRequest.id).where(
        ErasureRequest.account_id == account.id, ErasureRequest.closed_at.is_(None)
    )
    return Open(
        is_open=account.status != "disabled",
        has_role=bool(staff.roles_of(account.id)),
        is_asked=db.session.scalar(waiting) is not None,
        mails=_count(OutboxMessage, OutboxMessage.status == "queued", account.id),
        deliveries=_count(EventDelivery, EventDelivery.status == "waiting", account.id),
    )


def may_erase() -> bool:
    """Whether the role may take from the audit log what says who somebody was."""
    is_postgresql = db.engine.dialect.name == "postgresql"
    return not is_postgresql or removal.may_delete(db.session)


def erase_account(account_id: str) -> None:
    """Erase the account, which nothing stands against."""
    erasing.erase(accounts=[account_id], why="asked")
    erasing.scrub()


def erase_child(child: Child) -> None:
    """Erase the pupil, who has left."""
    erasing.erase(children=[child.id], why="asked")
    erasing.scrub()


def _count(model: type[OutboxMessage] | type[EventDelivery], waits: object, account_id: str) -> int:
    query = select(func.count()).select_from(model).where(waits, model.account_id == account_id)  # type: ignore[arg-type]
    return db.session.scalar(query) or 0
