"""What became of the mails to guardians, within the scope of whoever asks."""

from dataclasses import dataclass
from typing import Final

from sqlalchemy import ColumnElement, and_, exists, false, or_, select, true, tuple_

from idp.clients.models import ClientSchool
from idp.database import db, retried
from idp.desk.access import scope
from idp.desk.access.acts import act
from idp.desk.access.rights import Right, SchoolScope, Staff
from idp.errors import Conflict, NotFound
from idp.lifecycle.mails import requests as mail_requests
from idp.mail.kinds import FOR_SCHOOLS
from idp.mail.models import STATUSES, OutboxMessage
from idp.people.guardianships import LiveGuardianship
from idp.people.models import Account

FATES: Final = STATUSES
AT_ONCE: Final = 50
"""Mails on a page."""
FEW: Final = 5_000
"""Guardians of a scope that are named one by one."""


@dataclass(frozen=True)
class Mail:
    """One mail, and whose account it is about."""

    message: OutboxMessage
    account: Account | None
    is_peers: bool
    """Whether it is the account of a manager or operator to whom the reader may send nothing."""

    @property
    def can_go_again(self) -> bool:
        """Whether it is a refused invitation, whose reader is still invited and has an address."""
        invited = self.account is not None and self.account.status == "invited"
        refused = self.message.kind == "invitation" and self.message.status == "refused"
        has_email = bool(self.account and self.account.email)
        return refused and invited and has_email and not self.is_peers


@dataclass(frozen=True)
class Page:
    """Mails, the newest first; ``older`` is where the next page begins, if there is one."""

    mails: list[Mail]
    older: str | None


def page(staff: Staff, *, fate: str | None = None, before: str | None = None) -> Page:
    """A page of mails; ``fate``: only those, ``before``: only what is older than that mail."""
    school_scope = staff.school_scope(Right.SEND_TOKENS)
    where = [told_to(school_scope), _to_guardians_of(school_scope)]
    if fate is not None:
        where.append(OutboxMessage.status == fate)
    if before is not None:
        where.append(_older_than(before, where[0]))
    rows = db.session.execute(
        select(OutboxMessage, Account, scope.is_peer(staff))
        .outerjoin(Account, Account.id == OutboxMessage.account_id)
        .where(*where)
        .order_by(OutboxMessage.created_at.desc(), OutboxMessage.id.desc())
        .limit(AT_ONCE + 1)
        .execution_options(populate_existing=True)
    ).all()
    shown = [Mail(*row) for row in rows[:AT_ONCE]]
    return Page(shown, shown[-1].message.id if len(rows) > AT_ONCE else None)


@retried
def send_again(staff: Staff, outbox_id: str) -> str:
    """Queue a refused invitation once more; returns the new mail's id.

    Raises ``NotFound``; ``Conflict`` where one waits already; ``Invalid`` where the
    guardian has signed in by now, or has no address.
    """
    query = select(OutboxMessage).where(
        OutboxMessage.id == outbox_id,
        OutboxMessage.kind == "invitation",
        OutboxMessage.status == "refused",
        told_to(staff.school_scope(Right.SEND_TOKENS)),
    )
    message = db.session.scalar(query)
    if message is None or message.account_id is None:
        raise NotFound("mail", outbox_id)
    with act(staff, Right.SEND_TOKENS, message.account_id, wider_roles=True, peers=False) as on:
        if _waits(message.account_id):  # two at once: the second finds the first one's
            raise Conflict("invitation_waits")
        made = mail_requests.invite(message.account_id, message.about.get("client_id"))
        on.record("mail_asked_again", kind=made.kind, outbox_id=made.id)
    return made.id


def told_to(school_scope: SchoolScope) -> ColumnElement[bool]:
    """Mails to guardians of these schools, from the time when they were, of kinds that a school
    may see; asked for at no application of other schools alone (security rules A2 and C3).
    """
    if school_scope.everywhere:
        return OutboxMessage.id.is_not(None)
    guardian_then = (
        exists()
        .where(
            LiveGuardianship.account_id == OutboxMessage.account_id,
            LiveGuardianship.created_at <= OutboxMessage.created_at,
            scope.at(school_scope, LiveGuardianship.school_id),
        )
        .correlate(OutboxMessage)
    )
    client_id = OutboxMessage.about["client_id"].as_string()
    ours = select(ClientSchool.client_id).where(scope.at(school_scope, ClientSchool.school_id))
    return and_(
        OutboxMessage.kind.in_(FOR_SCHOOLS),
        guardian_then,
        or_(client_id.is_(None), client_id.in_(ours)),
    )


def _to_guardians_of(school_scope: SchoolScope) -> ColumnElement[bool]:
    """What ``told_to`` says too, as a list: PostgreSQL is to begin with a school's guardians, and
    would pass the mails of everybody else's. Of many schools the newest mails are soon met.
    """
    if school_scope.everywhere:
        return true()
    at_schools = scope.at(school_scope, LiveGuardianship.school_id)
    guardians = select(LiveGuardianship.account_id).where(at_schools).distinct()
    ids = db.session.scalars(guardians.limit(FEW + 1)).all()
    return OutboxMessage.account_id.in_(ids) if len(ids) <= FEW else true()


def _older_than(outbox_id: str, may_see: ColumnElement[bool]) -> ColumnElement[bool]:
    last = db.session.execute(
        select(OutboxMessage.created_at, OutboxMessage.id).where(
            OutboxMessage.id == outbox_id, may_see
        )
    ).first()
    if last is None:
        return false()
    return tuple_(OutboxMessage.created_at, OutboxMessage.id) < tuple_(*last)


def _waits(account_id: str) -> bool:
    query = select(OutboxMessage.id).where(
        OutboxMessage.account_id == account_id,
        OutboxMessage.kind == "invitation",
        OutboxMessage.status == "queued",
    )
    return db.session.scalar(query.limit(1)) is not None
