"""Ending: guardianships, accounts, sessions and permissions, with all that ends with them.

What ends with what stands in ``endings_table``; ``end`` reads it. A cause is about a set, and one
is a set of one: each thing ends by one statement, in the order of ``Thing``, so that two who end
the same wait for each other.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final

from sqlalchemy import ColumnElement, Select, or_, select

from idp import clock
from idp.audit import events
from idp.clients import registration_tokens
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
from idp.deliveries import front_channel, hearing, noting
from idp.federation import links
from idp.federation.models import FederatedLink
from idp.lifecycle.endings_sets import These, which
from idp.lifecycle.endings_table import ENDINGS, OTHER_REASON, REASONS, By, Cause, Thing
from idp.mail import outbox
from idp.oidc import device_codes, grants_service
from idp.people import accounts, link_questions, linking, search_index, staff
from idp.people.guardianships import LiveGuardianship
from idp.people.models import FOR_GOOD, Account, Child, Guardianship
from idp.sessions import interactions, persistent, submissions
from idp.sessions import service as sessions
from idp.sessions.models import BrowserSession, Interaction, PersistentLogin

__all__ = ["Cause", "These", "Thing"]


@dataclass
class Ended:
    """How many of each thing ended."""

    counts: dict[Thing, int] = field(default_factory=dict)
    links: list[FederatedLink] = field(default_factory=list)
    heard: bool = False
    """Whether an application is told of a session that ended."""


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
            elif thing is Thing.SESSIONS:
                _end_sessions(ended, by, these)
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
        # Held: a yes at this moment came first, and is ended, or finds its question ended
        accounts.lock_account(account_id)
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
        count = _mark_ended(ended, reason, code, **detail)
        if count and code in FOR_GOOD:
            theirs = Guardianship.id.in_(ended)
            pupils = select(Guardianship.child_id).where(theirs)
            these = These(
                guardianships=ended,
                accounts=select(Guardianship.account_id).where(theirs),
                schools=select(Child.school_id).where(Child.id.in_(pupils)),
            )
            end(Cause.SEPARATED, these)
        elif count:
            end(Cause.GUARDIANSHIP_ENDED, These(guardianships=ended))
    return count


def close_access(account_id: str, ended: Ids, schools: Ids, reason: str, code: str) -> None:
    """End, in the caller's transaction, which holds the account, those of these guardianships that
    are live, and what these schools ask the guardian; the account as well, where no guardianship is
    left anywhere.
    """
    with transaction():
        _mark_ended(ended, reason, code)
        these = These(accounts=[account_id], guardianships=ended, schools=schools)
        end(Cause.ACCESS_CLOSED, these)
        search_index.refresh_accounts([account_id])
        close_accounts([account_id])


def end_questions(account_id: str, schools: Ids) -> int:
    """End what these schools ask a former guardian, in the caller's transaction."""
    these = These(accounts=[account_id], schools=schools)
    return end(Cause.QUESTIONS_ENDED, these).counts[Thing.QUESTIONS]


def _mark_ended(ended: Ids, reason: str, code: str | None, **detail: Any) -> int:
    at, heard = clock.now(), hearing.guardianship_is_heard()
    marked = linking.mark_ended(ended, reason, code, at=at, heard=heard, **detail)
    if marked.heard:
        noting.guardianships_ended(at, ended)
    return marked.count


@retried
def disable_account(account_id: str) -> bool:
    """Disable an account, open or closed; false if there is none or it was disabled before."""
    open_or_closed = or_(Account.status != "disabled", Account.closed_at.is_not(None))
    account_ids = select(Account.id).where(Account.id == account_id, open_or_closed)
    return bool(_disable(Cause.ACCOUNT_DISABLED, account_ids))


def close_accounts(these: Ids, **detail: Any) -> int:
    """Disable those of these accounts that are no guardian any more; returns how many.

    In the transaction that ended their guardianships. The next one opens them (``open_again``).
    Whoever works at a desk keeps the account: their role is taken away by itself.
    """
    theirs = select(LiveGuardianship.id).where(LiveGuardianship.account_id == Account.id)
    closing = select(Account.id).where(
        Account.id.in_(these), Account.status != "disabled", ~theirs.exists(), ~staff.has_role()
    )
    return _disable(Cause.ACCOUNT_CLOSED, closing, **detail)


def _disable(cause: Cause, these: Select[Any], **detail: Any) -> int:
    with transaction() as writes:
        # Held first: whoever claims one at this moment waits, or was first and is passed over
        lock = these.order_by(Account.id).with_for_update(key_share=True, of=Account)
        held = writes.execute(lock.add_columns(hearing.account_is_heard())).all()
        if not held:
            return 0
        end(cause, These(accounts=these))
        if any(heard for *_id, heard in held):
            noting.accounts_disabled(clock.now(), these)
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
        tell_enabled([account_id])
    return True


def tell_enabled(these: Ids) -> None:
    """Tell applications of accounts that were just opened again, in the transaction that did it."""
    noting.accounts_enabled(clock.now(), these)


def end_former_addresses(these: Ids, **detail: Any) -> None:
    """What ends with the former address of many that just got another from their school.

    In the transaction that gave it to them. Nobody is told: who was never active gets an
    invitation where they are now.
    """
    with transaction():
        accounts.mark_unproved(these)
        end(Cause.ADDRESS_CORRECTED, These(accounts=these))
        events.record_each("email_changed", accounts.each(these), by="school", **detail)


@retried
def end_session(account_id: str, session_id: str) -> bool:
    """End one of the guardian's sessions, and its browser's staying signed in; false where none of
    theirs went on.
    """
    theirs = PersistentLogin.account_id == account_id
    with transaction():
        ended = _sign_out(account_id, session_id)
        persistent.forget(theirs, PersistentLogin.id.in_(persistent.of_session(session_id)))
    return bool(ended.counts[Thing.SESSIONS])


def replace_session(account_id: str, session_id: str) -> None:
    """End a session that another one of the same guardian in the same browser replaces."""
    _end_sessions_of(account_id, BrowserSession.id == session_id, replaced=True)


@retried
def sign_out(account_id: str, session_id: str) -> list[str]:
    """End the session of the browser at the other end; returns the addresses that it is to load
    then (Front-Channel Logout 1.0).

    Its key, where it stays signed in, opens nothing any more, and is still judged where it is used:
    whoever holds a copy may be the one who signs out.
    """
    ended = _sign_out(account_id, session_id)
    return front_channel.addresses_of(session_id) if ended.heard else []


def _sign_out(account_id: str, session_id: str) -> Ended:
    """End a session with all that its browser's key has opened, before it or after it."""
    with transaction():
        # Held: a browser that comes back at this moment was first, or finds its session ended
        accounts.lock_account(account_id)
        return _end_sessions_of(account_id, persistent.in_browser_of(session_id))


def _end_sessions_of(
    account_id: str, which_: ColumnElement[bool], *, replaced: bool = False
) -> Ended:
    these = select(BrowserSession.id).where(BrowserSession.account_id == account_id, which_)
    with transaction():
        return end(Cause.SIGNED_OUT, These(sessions=these, replaced=replaced))


@retried
def end_other_sessions(account_id: str, keep: str) -> int:
    """End every session of the guardian but one, with what applications got through them."""
    others = select(BrowserSession.id).where(
        BrowserSession.account_id == account_id, BrowserSession.id != keep
    )
    these = These(accounts=[account_id], sessions=others, keep_session=keep)
    with transaction():
        accounts.lock_account(account_id)  # as in ``_sign_out``
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


def _end_sessions(ended: Ended, by: By, these: These) -> None:
    at, ones = clock.now(), which(Thing.SESSIONS, by, these)
    tell = _AUDIT_DETAIL.get(by, "count")
    done = sessions.end(*ones, at=at, heard=hearing.session_is_heard(), tell=tell)
    ended.counts[Thing.SESSIONS], ended.heard = done.count, done.heard
    if done.heard:
        noting.sessions_ended(at, *ones, replaced=these.replaced)


def _end_consents(*ones: ColumnElement[bool]) -> int:
    at, heard = clock.now(), hearing.consent_is_heard()
    count, is_heard = grants_service.withdraw_consents(*ones, at=at, heard=heard)
    if is_heard:
        noting.consents_withdrawn(at, *ones)
    return count


def _end_at_application(reason: str, *ones: ColumnElement[bool]) -> int:
    """Grants that end while their sessions go on: with a consent, or for an application."""
    at = clock.now()
    count, heard = grants_service.end_heard(reason, *ones, at=at, heard=hearing.grant_is_heard())
    if heard:
        noting.grants_ended(at, *ones)
    return count


def _ender(thing: Thing, cause: Cause, by: By) -> Callable[..., int]:
    """The one function that ends things of this kind; it takes conditions on their table."""
    reason = REASONS.get(cause, OTHER_REASON)
    keeps_sessions = by in {By.PERMISSION, By.CLIENT}
    end_grants = _end_at_application if keeps_sessions else grants_service.end
    functions: dict[Thing, Callable[..., int]] = {
        Thing.PASSWORD: passwords.withdraw,
        Thing.PASSKEYS: passkeys.remove,
        Thing.RECOVERY_CODES: recovery_codes.forget,
        Thing.APP: totp.switch_off,
        Thing.ENROLMENTS: totp.forget_enrolments,
        Thing.CHOICES: sessions.forget_children,
        Thing.CONSENTS: _end_consents,
        Thing.CHILD_CONSENTS: grants_service.withdraw_child_consents,
        Thing.GRANTS: partial(end_grants, reason),
        Thing.DEVICE_CODES: device_codes.end,
        Thing.REGISTRATION_TOKENS: registration_tokens.end_each,
        Thing.MANAGEMENT: registration_tokens.end_management,
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
        Thing.QUESTIONS: link_questions.end,
    }
    return functions[thing]
