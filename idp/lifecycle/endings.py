"""Ending: guardianships, accounts, sessions and permissions, with all that ends with them.

What ends with what stands in ``endings_table``; ``end`` reads it. A cause is about a set, and one
is a set of one: each thing ends by one statement, in the order of ``Thing``, so that two who end
the same wait for each other.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final

from sqlalchemy import Select, or_, select

from idp.audit import events
from idp.credentials import (
    devices,
    email_changes,
    one_time_tokens,
    passkeys,
    passwords,
    recovery_codes,
    totp,
)
from idp.credentials.models import PasskeyChallenge
from idp.database import Ids, delete_all, retried, transaction
from idp.federation import links
from idp.federation.models import FederatedLink
from idp.lifecycle.endings_sets import These, which
from idp.lifecycle.endings_table import ENDINGS, OTHER_REASON, REASONS, By, Cause, Thing
from idp.mail import outbox
from idp.oidc import grants_service
from idp.people import accounts, linking, search_index
from idp.people.guardianships import LiveGuardianship
from idp.people.models import Account, Guardianship
from idp.sessions import interactions, submissions
from idp.sessions import service as sessions
from idp.sessions.models import BrowserSession, Interaction

__all__ = ["Cause", "These", "Thing"]


@dataclass
class Ended:
    """How many of each thing ended."""

    counts: dict[Thing, int] = field(default_factory=dict)
    links: list[FederatedLink] = field(default_factory=list)


def end(cause: Cause, these: These) -> Ended:
    """End what ends with this cause, in the caller's transaction, which does the act itself."""
    ended = Ended()
    with transaction():
        for thing in Thing:
            by = ENDINGS[cause].get(thing, By.ITSELF)
            # Waiting changes of an address, and disputes about it, lie in one table
            both = (
                by
                is ENDINGS[cause].get(Thing.ADDRESS_CHANGES)
                is ENDINGS[cause].get(Thing.DISPUTES)
            )
            if by is By.ITSELF or (both and thing is Thing.DISPUTES):
                continue
            if thing is Thing.PROOFS:
                accounts.move_epochs(these.accounts)
            elif thing is Thing.LINKS:
                why = "undone" if by is By.SINCE else "account claimed"
                ended.links = links.remove(*which(thing, by, these), why=why)
            elif both and thing is Thing.ADDRESS_CHANGES:
                changed = email_changes.end_waiting_and_settle(*which(thing, by, these))
                ended.counts[thing] = changed
            else:
                ended.counts[thing] = _ender(thing, cause, by)(*which(thing, by, these))
    return ended


@retried
def end_guardianship(account_id: str, child_id: str, reason: str, code: str | None = None) -> bool:
    """End a guardianship everywhere, at once; false where there is none.

    ``reason`` and ``code``: see ``end_guardianships``.
    """
    theirs = select(Guardianship.id).where(
        Guardianship.account_id == account_id, Guardianship.child_id == child_id
    )
    with transaction():
        ended = end_guardianships(theirs, reason, code)
        if ended:
            search_index.refresh_accounts([account_id])
    return bool(ended)


def end_guardianships(ended: Ids, reason: str, code: str | None = None, **detail: Any) -> int:
    """End those of these that are live, in the caller's transaction; returns how many.

    After the commit no session remembers the child, no grant names it (security rule C2).
    ``reason``: free text; ``code``: one of ``people.models.END_REASONS``, where somebody at a
    school says so. The search index is the caller's to refresh.
    """
    with transaction():
        count = linking.mark_ended(ended, reason, code, **detail)
        if count:
            end(Cause.GUARDIANSHIP_ENDED, These(guardianships=ended))
    return count


@retried
def disable_account(account_id: str) -> bool:
    """Disable an account, open or closed; false if there is none or it was disabled before."""
    open_or_closed = or_(Account.status != "disabled", Account.closed_at.is_not(None))
    account_ids = select(Account.id).where(Account.id == account_id, open_or_closed)
    return bool(_disable(Cause.ACCOUNT_DISABLED, account_ids))


def close_accounts(these: Ids, **detail: Any) -> int:
    """Disable those of these accounts that are no guardian any more; returns how many.

    In the transaction that ended their guardianships. The next one opens them (``open_again``).
    """
    theirs = select(LiveGuardianship.id).where(LiveGuardianship.account_id == Account.id)
    closing = select(Account.id).where(
        Account.id.in_(these), Account.status != "disabled", ~theirs.exists()
    )
    return _disable(Cause.ACCOUNT_CLOSED, closing, **detail)


def _disable(cause: Cause, these: Select[Any], **detail: Any) -> int:
    with transaction() as writes:
        # Held first: whoever claims one at this moment waits, or was first and is passed over
        lock = these.order_by(Account.id).with_for_update(key_share=True, of=Account)
        if not writes.execute(lock).all():
            return 0
        end(cause, These(accounts=these))
        return accounts.mark_disabled(these, closed=cause is Cause.ACCOUNT_CLOSED, **detail)


def open_again(account_id: str) -> bool:
    """Open an account that was closed for want of a guardianship; false where it was not."""
    return _enable(account_id, closed_only=True)


@retried
def enable_account(account_id: str) -> bool:
    """Let a disabled account in again, whyever it was disabled; false where it was not.

    What ended with it stays ended: sessions, tokens, applications' access.
    """
    with transaction():
        enabled = _enable(account_id, closed_only=False)
        if enabled:
            outbox.enqueue("account_enabled", account_id=account_id)
    return enabled


def _enable(account_id: str, *, closed_only: bool) -> bool:
    with transaction():
        account = accounts.lock_account(account_id)
        if account is None or account.status != "disabled":
            return False
        if closed_only and account.closed_at is None:
            return False
        accounts.mark_enabled(account)
    return True


def end_former_addresses(these: Ids, **detail: Any) -> None:
    """What ends with the former address of many that just got another from their school.

    In the transaction that gave it to them. Nobody is told: who was never active gets an
    invitation where they are now.
    """
    with transaction():
        accounts.mark_unproved(these)
        end(Cause.ADDRESS_CORRECTED, These(accounts=these))
        events.record_each("email_changed", accounts.each(these), by="school", **detail)


def end_session(account_id: str, session_id: str) -> bool:
    """End one of the guardian's sessions; false where it is not theirs or has ended."""
    conditions = (BrowserSession.id == session_id, BrowserSession.account_id == account_id)
    with transaction():
        ended = end(Cause.SIGNED_OUT, These(sessions=select(BrowserSession.id).where(*conditions)))
    return bool(ended.counts[Thing.SESSIONS])


def end_other_sessions(account_id: str, keep: str) -> int:
    """End every session of the guardian but one, with what applications got through them."""
    others = select(BrowserSession.id).where(
        BrowserSession.account_id == account_id, BrowserSession.id != keep
    )
    these = These(accounts=[account_id], sessions=others, keep_session=keep)
    return end(Cause.OTHERS_SIGNED_OUT, these).counts[Thing.SESSIONS]


@retried
def withdraw_consent(account_id: str, client_id: str) -> bool:
    """Withdraw the guardian's consent and end what the application got by it."""
    with transaction():
        these = These(accounts=[account_id], clients=[client_id])
        withdrawn = end(Cause.CONSENT_WITHDRAWN, these).counts[Thing.CONSENTS]
        if withdrawn:
            events.record("consent_withdrawn", account_id=account_id, client_id=client_id)
    return bool(withdrawn)


_AUDIT_DETAIL: Final[dict[By, sessions.AuditDetail]] = {By.SESSION: "each", By.EVERYBODY: "none"}


def _ender(thing: Thing, cause: Cause, by: By) -> Callable[..., int]:
    """The one function that ends things of this kind; it takes conditions on their table."""
    tell = _AUDIT_DETAIL.get(by, "count")
    reason = REASONS.get(cause, OTHER_REASON)
    functions: dict[Thing, Callable[..., int]] = {
        Thing.PASSWORD: passwords.withdraw,
        Thing.PASSKEYS: passkeys.remove,
        Thing.RECOVERY_CODES: recovery_codes.forget,
        Thing.APP: totp.switch_off,
        Thing.ENROLMENTS: totp.forget_enrolments,
        Thing.SESSIONS: partial(sessions.end, tell=tell),
        Thing.CHOICES: sessions.forget_children,
        Thing.CONSENTS: grants_service.withdraw_consents,
        Thing.CHILD_CONSENTS: grants_service.withdraw_child_consents,
        Thing.GRANTS: partial(grants_service.end, reason),
        Thing.TOKENS: one_time_tokens.end,
        Thing.ADDRESS_CHANGES: email_changes.end_waiting,
        Thing.WAYS_BACK: email_changes.end_open,
        Thing.DISPUTES: email_changes.settle,
        Thing.DEVICES: devices.forget,
        Thing.STEPS: interactions.forget_person,
        Thing.WAITING_IDENTITIES: links.forget_waiting,
        Thing.PROVIDER_REQUESTS: links.forget_requests,
        Thing.FORMS: submissions.forget,
        Thing.CHALLENGES: partial(delete_all, PasskeyChallenge),
        Thing.INTERACTIONS: partial(delete_all, Interaction),
        Thing.MAILS: partial(outbox.drop, reason),
    }
    return functions[thing]
