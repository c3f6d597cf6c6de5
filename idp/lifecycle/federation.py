"""Foreign identities and accounts: signing in, claiming, linking, unlinking, with what ends.

The school makes accounts; a provider never does. A foreign identity opens an account only
after both were proved in one browser (security rules F3 to F5).
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import ColumnElement, select

from idp import measures
from idp.audit import events
from idp.credentials import one_time_tokens, passwords
from idp.database import db, retried, transaction
from idp.errors import Conflict, Invalid
from idp.federation import links
from idp.federation.identity import ForeignIdentity
from idp.federation.links import LinkedElsewhere, OtherIdentity
from idp.federation.models import FederatedLink, PendingLink
from idp.lifecycle import endings
from idp.lifecycle.endings import Cause, These
from idp.lifecycle.passwords import TokenGone, end_before_claim
from idp.lifecycle.sign_in import Proof, ProofGone
from idp.lifecycle.step_up import ways_in
from idp.mail import outbox
from idp.people import accounts
from idp.people.models import Account
from idp.sessions.models import BrowserSession

__all__ = ["LinkedElsewhere", "OtherIdentity", "TokenGone"]

FEDERATED: Final = ("fed",)
"""Another provider's word, whatever it says of its own methods (security rule F9)."""
CLOCKS_DIFFER: Final = timedelta(minutes=5)


@dataclass(frozen=True)
class Known:
    """The identity opens an account: the proof of its holder."""

    proof: Proof
    account: Account


@dataclass(frozen=True)
class Closed:
    """The identity is linked to an account that may not be entered (security rule F8)."""


@dataclass(frozen=True)
class NotLinked:
    """The identity opens no account yet."""


def prove(identity: ForeignIdentity) -> Known | Closed | NotLinked:
    """What a verified identity proves here.

    Link and epoch are read at once: an unlinking that comes after makes the proof worth nothing.
    """
    linked = links.find_linked(identity)
    if linked is None:
        return NotLinked()
    account = linked.account
    if account.status != "active":
        events.record(
            "sign_in_refused",
            result="disabled",
            account_id=account.id,
            provider=identity.provider,
        )
        measures.sign_in(identity.provider, "disabled")
        return Closed()
    links.used(linked.link.id)
    measures.sign_in(identity.provider, "ok")
    return Known(_proof(account, identity, linked.link.id), account)


@retried
def claim_with_token(token_id: str, identity: ForeignIdentity) -> Proof:
    """Spend a verified token for a link: an account without a password is its holder's.

    One transaction spends the token, makes the account active, ends what was before and links
    (security rules P6, P14, P15). Raises ``TokenGone`` or ``LinkedElsewhere``; then nothing
    has changed, and the token still works.
    """
    token = one_time_tokens.find_by_id(token_id)
    if not isinstance(token, one_time_tokens.Live):
        raise TokenGone
    with transaction():
        account = accounts.lock_account(token.account.id)
        if account is None or account.status == "disabled" or passwords.has_password(account.id):
            raise TokenGone
        if not one_time_tokens.spend(token_id):
            raise TokenGone
        was_invited = account.status == "invited"
        accounts.activate(account)
        # Whoever holds it reads the mail of the address that it went to, if it is still theirs
        if one_time_tokens.was_sent_to(token.token, account.email_key):
            accounts.prove_email(account)
        end_before_claim(account, first=was_invited)
        links.make(account.id, identity)
        outbox.enqueue("link_made", account_id=account.id, about={"provider": identity.provider})
        link = links.find_linked(identity)
    measures.sign_in(identity.provider, "ok")
    return replace(_proof(account, identity, link.link.id if link else None), mailed=True)


@retried
def link(account_id: str, identity: ForeignIdentity, *, epoch: int) -> bool:
    """Link an identity to a guardian who proved both; false where it was linked before.

    ``epoch``: the account's when the guardian was last known to be there. A claim that came
    since has put them out, and what they began adds no way in after it (security rule P14).
    Raises ``LinkedElsewhere``, ``OtherIdentity``, ``ProofGone``, or ``Invalid`` for an
    account that is not active.
    """
    try:
        with transaction():
            return _link(account_id, identity, epoch)
    except (LinkedElsewhere, OtherIdentity) as refused:
        _record_refusal(account_id, identity, refused)
        raise


@retried
def link_waiting(interaction_id: str, browser: str, *, account_id: str, epoch: int) -> str | None:
    """Link the identity that waits in this interaction to the guardian who signed in in it, and
    has said so since: whoever left it here may be somebody else (security rule N4).

    The provider's key, or None where nothing waits. Raises as ``link`` does; whatever happens,
    the waiting identity is used up.
    """
    with transaction():
        identity = links.take_waiting(interaction_id, browser)
    if identity is None:
        return None
    link(account_id, identity, epoch=epoch)
    return identity.provider


@retried
def unlink(account_id: str, link_id: str) -> str | None:
    """Remove a guardian's link, with the sessions that came from it; its provider's key.

    None where there is no such link. Raises ``Conflict``.
    """
    with transaction():
        account = accounts.lock_account(account_id)
        if account is None:
            return None
        if not ways_in(account_id, without_link=link_id).count:
            raise Conflict("last_way_in")
        removed = _remove(FederatedLink.id == link_id, FederatedLink.account_id == account_id)
        if removed is None:
            return None
        _end(removed, "unlinked")
        about = {"provider": removed.provider}
        outbox.enqueue("link_removed", account_id=account_id, about=about)
    return removed.provider


@retried
def end_by_provider(issuer: str, subject: str, signed_at: datetime) -> bool:
    """Obey a provider that asks us to forget a person: the link ends, the account stays.

    Even when it was the last way in: then a mail brings a token, or the school helps. A
    request that was signed before the link was made is an old one, and ends nothing. Whether
    there was a link.
    """
    with transaction():
        link = db.session.scalars(
            select(FederatedLink).where(
                FederatedLink.issuer == issuer, FederatedLink.subject == subject
            )
        ).one_or_none()
        links.forget_waiting(PendingLink.issuer == issuer, PendingLink.subject == subject)
        if link is None or link.linked_at > signed_at + CLOCKS_DIFFER:
            return False
        account = accounts.lock_account(link.account_id)
        removed = _remove(FederatedLink.id == link.id)
        if account is None or removed is None:
            return False
        _end(removed, "provider asked")
        if account.status == "active":
            _tell_of_end(account, removed.provider)
    return True


@retried
def end_by_operator(account_id: str, provider: str) -> bool:
    """Remove a guardian's link for them, as a provider's wish would; whether there was one."""
    with transaction():
        account = accounts.lock_account(account_id)
        theirs = (FederatedLink.account_id == account_id, FederatedLink.provider == provider)
        removed = _remove(*theirs)
        if account is None or removed is None:
            return False
        _end(removed, "operator")
        outbox.enqueue("link_removed", account_id=account_id, about={"provider": provider})
    return True


def _proof(account: Account, identity: ForeignIdentity, link_id: str | None) -> Proof:
    return Proof(
        account.id,
        account.credentials_epoch,
        FEDERATED,
        link_id=link_id,
        auth_time=identity.auth_time,
        auth_time_proved=identity.auth_time is not None,
    )


def _link(account_id: str, identity: ForeignIdentity, epoch: int) -> bool:
    account = accounts.lock_account(account_id)
    if account is None or account.status != "active":
        raise Invalid("account", "not_active")
    if account.credentials_epoch != epoch:
        raise ProofGone
    made = links.make(account_id, identity)
    if made:
        about = {"provider": identity.provider}
        outbox.enqueue("link_made", account_id=account_id, about=about)
    return made


def _record_refusal(account_id: str, identity: ForeignIdentity, refused: Exception) -> None:
    # After the rollback: what was refused must stay in the audit log.
    reason = "linked elsewhere" if isinstance(refused, LinkedElsewhere) else "other identity"
    events.record(
        "link_refused",
        result="refused",
        account_id=account_id,
        provider=identity.provider,
        reason=reason,
    )


def _remove(*which: ColumnElement[bool]) -> FederatedLink | None:
    return next(iter(links.remove(*which)), None)


def _end(removed: FederatedLink, reason: str) -> None:
    """End what came from a link: sessions, their grants, proofs that are being judged."""
    from_it = select(BrowserSession.id).where(BrowserSession.link_id == removed.id)
    endings.end(Cause.LINK_ENDED, These(accounts=[removed.account_id], sessions=from_it))
    events.record(
        "link_ended",
        account_id=removed.account_id,
        provider=removed.provider,
        link=removed.id,
        reason=reason,
    )


def _tell_of_end(account: Account, provider: str) -> None:
    stranded = not ways_in(account.id).count
    if stranded and not account.email:
        events.record("left_to_school", account_id=account.id, provider=provider)
        return
    about = {"provider": provider, "token": stranded}
    outbox.enqueue("link_ended", account_id=account.id, about=about)
