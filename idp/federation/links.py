"""Links between foreign identities and accounts, and those that wait for their guardian.

What ends with a link stands in ``lifecycle.endings``.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, delete, select, tuple_
from sqlalchemy.exc import IntegrityError

from idp import clock, settings
from idp.audit import events
from idp.database import db, delete_all, transaction, update_all
from idp.federation import authorization_request
from idp.federation.identity import ForeignIdentity
from idp.federation.models import FederatedLink, FederationState, PendingLink
from idp.people.models import Account


class LinkedElsewhere(Exception):
    """The identity opens another account. A link never moves (security rule F5)."""


class OtherIdentity(Exception):
    """The account has another identity of the same provider already."""


@dataclass(frozen=True)
class Linked:
    """A link and its guardian, whatever the account's status."""

    link: FederatedLink
    account: Account


def find_linked(identity: ForeignIdentity) -> Linked | None:
    """Whose account this identity opens: by issuer and subject, never by an address (rule F3)."""
    row = db.session.execute(
        select(FederatedLink, Account)
        .join(Account, Account.id == FederatedLink.account_id)
        .where(FederatedLink.issuer == identity.issuer, FederatedLink.subject == identity.subject)
        .execution_options(populate_existing=True)
    ).one_or_none()
    return Linked(*row) if row else None


def get_link(link_id: str) -> FederatedLink | None:
    """The link of this id."""
    return db.session.get(FederatedLink, link_id, populate_existing=True)


def of_account(account_id: str) -> list[FederatedLink]:
    """The guardian's links, the oldest first."""
    return list(
        db.session.scalars(
            select(FederatedLink)
            .where(FederatedLink.account_id == account_id)
            .order_by(FederatedLink.linked_at, FederatedLink.id)
        )
    )


def usable(account_id: str, *, without: str | None = None) -> list[FederatedLink]:
    """The links by which the guardian can sign in now; ``without``: leaving one link out."""
    issuers = {each.issuer for each in settings.current().providers if each.enabled}
    links = of_account(account_id)
    return [link for link in links if link.issuer in issuers and link.id != without]


def make(account_id: str, identity: ForeignIdentity) -> bool:
    """Link in the caller's transaction; false where it was linked to this account before.

    The caller holds the account. The database's unique indexes decide, not a look beforehand.
    Raises ``LinkedElsewhere`` or ``OtherIdentity``.
    """
    link = FederatedLink(
        account_id=account_id,
        provider=identity.provider,
        issuer=identity.issuer,
        subject=identity.subject,
    )
    try:
        with db.session.begin_nested():
            db.session.add(link)
    except IntegrityError:
        return _refuse(account_id, identity)
    events.record("link_made", account_id=account_id, provider=link.provider, link=link.id)
    return True


def remove(*which: ColumnElement[bool], why: str | None = None) -> list[FederatedLink]:
    """Remove these links in the caller's transaction, and what waits of their identities (rule F7).

    ``why``: it is recorded, for this reason. Returns what was removed.
    """
    with transaction() as writes:
        removed = list(
            writes.scalars(
                delete(FederatedLink)
                .where(*which)
                .returning(FederatedLink)
                .execution_options(synchronize_session=False)
            )
        )
        if removed:
            identities = [(each.issuer, each.subject) for each in removed]
            forget_waiting(tuple_(PendingLink.issuer, PendingLink.subject).in_(identities))
        if removed and why:
            events.record_rows(_ended(each, why) for each in removed)
    return removed


def _ended(link: FederatedLink, why: str) -> dict[str, Any]:
    about = {"provider": link.provider, "link": link.id, "reason": why}
    return events.row("link_ended", account_id=link.account_id, **about)


def used(link_id: str) -> None:
    """Note that somebody signed in by a link."""
    update_all(FederatedLink, FederatedLink.id == link_id, last_used_at=clock.now())


def wait(identity: ForeignIdentity, *, interaction_id: str, browser: str, until: datetime) -> None:
    """Keep an identity that belongs to nobody for whoever signs in in this interaction."""
    with transaction() as writes:
        writes.merge(
            PendingLink(
                interaction_id=interaction_id,
                browser_hash=authorization_request.browser_hash(browser),
                provider=identity.provider,
                issuer=identity.issuer,
                subject=identity.subject,
                shown=identity.shown,
                created_at=clock.now(),
                expires_at=until,
            )
        )


def waiting(interaction_id: str, browser: str) -> PendingLink | None:
    """The identity that waits in this interaction and this browser."""
    return db.session.scalars(
        select(PendingLink)
        .where(*_is_waiting(interaction_id, browser))
        .execution_options(populate_existing=True)
    ).one_or_none()


def waiting_in(browser: str) -> set[str]:
    """The interactions of this browser in which an identity waits."""
    return set(
        db.session.scalars(
            select(PendingLink.interaction_id).where(
                PendingLink.browser_hash == authorization_request.browser_hash(browser),
                PendingLink.expires_at > clock.now(),
            )
        )
    )


def take_waiting(interaction_id: str, browser: str) -> ForeignIdentity | None:
    """Take the waiting identity in the caller's transaction: one caller gets it, ever."""
    pending = waiting(interaction_id, browser)
    if pending is None:
        return None
    taken = delete_all(
        PendingLink, *_is_waiting(interaction_id, browser), PendingLink.subject == pending.subject
    )
    if not taken:
        return None
    return ForeignIdentity(pending.provider, pending.issuer, pending.subject, pending.shown)


def forget_waiting(*which: ColumnElement[bool]) -> int:
    """Forget these identities that wait for their guardian."""
    return delete_all(PendingLink, *which)


def drop(interaction_id: str, browser: str) -> None:
    """Forget the waiting identity: the parent does not want to link it."""
    forget_waiting(*_is_waiting(interaction_id, browser))


def forget_requests(*which: ColumnElement[bool]) -> int:
    """Forget these requests to providers, whose answer has not come."""
    return delete_all(FederationState, *which)


def _is_waiting(interaction_id: str, browser: str) -> tuple[ColumnElement[bool], ...]:
    return (
        PendingLink.interaction_id == interaction_id,
        PendingLink.browser_hash == authorization_request.browser_hash(browser),
        PendingLink.expires_at > clock.now(),
    )


def _refuse(account_id: str, identity: ForeignIdentity) -> bool:
    linked = find_linked(identity)
    if linked is not None and linked.account.id == account_id:
        return False
    raise LinkedElsewhere if linked else OtherIdentity
