"""What files ask of former guardians (``link_requests``): once a year, and by few mails.

A file can name anybody, about as many pupils and as often as somebody likes: undone, and imported
again (security rules E3 and N4).
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import insert, select, update

from idp import clock
from idp.audit import events
from idp.database import db, in_parts, opaque_id, transaction, update_all
from idp.lifecycle.link_requests import ANSWERED_WITHIN
from idp.mail import spread
from idp.people.link_models import LinkRequest
from idp.people.models import Account, Child

MAILS_A_DAY: Final = 3
"""To one mailbox, of all that files ask."""
KIND: Final = "guardianship_asked"
Pair = tuple[str, str, str]
"""Account, child, relationship."""

_CHUNK: Final = 500
_new_id = opaque_id("l")


def ask_once(pairs: Sequence[Pair], now: datetime, *, per_hour: int) -> int:
    """Ask many in the caller's transaction: account, child, relationship. Who was asked about
    the pupil within a year, and whatever they said, is not asked again; a question that was
    taken back is open again. Returns how many are asked.

    One mail for an account, about all of it (``link_requests.asked_with``), and ``MAILS_A_DAY`` to
    a mailbox at most (rule E3).
    """
    with transaction() as writes:
        known = _known({each[0] for each in pairs})
        times = {"asked_at": now, "expires_at": now + ANSWERED_WITHIN}
        new: list[dict[str, Any]] = []
        again: list[dict[str, Any]] = []
        for account_id, child_id, relationship in pairs:
            before = known.get((account_id, child_id), [])
            row = {"relationship": relationship, **times}
            if not before:
                row |= {"id": _new_id(), "account_id": account_id, "child_id": child_id}
                new.append(row)
            elif all(_was_withdrawn(each) for each in before):
                again.append({"id": before[-1].id, **row})
        for rows in in_parts(new, _CHUNK):
            writes.execute(insert(LinkRequest), rows)
        for rows in in_parts(again, _CHUNK):
            writes.execute(update(LinkRequest), rows)
        ids = [each["id"] for each in (*new, *again)]
        for part in in_parts(ids, _CHUNK):
            whom = select(LinkRequest.account_id, LinkRequest.child_id, Child.school_id)
            whom = whom.join(Child, Child.id == LinkRequest.child_id)
            events.record_each("guardianship_asked", whom.where(LinkRequest.id.in_(part)))
        _mail_accounts(ids, {each["id"] for each in new}, per_hour=per_hour)
    return len(ids)


def _known(account_ids: set[str]) -> dict[tuple[str, str], list[Any]]:
    """What these accounts were asked, and is kept, by account and child; the oldest first."""
    known: dict[tuple[str, str], list[Any]] = {}
    for part in in_parts(sorted(account_ids), _CHUNK):
        for row in db.session.execute(
            select(
                LinkRequest.id,
                LinkRequest.account_id,
                LinkRequest.child_id,
                LinkRequest.asked_at,
                LinkRequest.expires_at,
                LinkRequest.answered_at,
            )
            .where(LinkRequest.account_id.in_(part))
            .order_by(LinkRequest.asked_at)
        ):
            known.setdefault((row.account_id, row.child_id), []).append(row)
    return known


def _was_withdrawn(row: Any) -> bool:
    return row.answered_at is None and row.expires_at < row.asked_at + ANSWERED_WITHIN


def _mail_accounts(ids: Sequence[str], new: set[str], *, per_hour: int) -> None:
    """A mail to each account that was asked; none where the mail about a question that was taken
    back is there or on its way.
    """
    accounts: dict[str, tuple[str, str]] = {}
    for part in in_parts(ids, _CHUNK):
        for request_id, account_id, key in db.session.execute(
            select(LinkRequest.id, LinkRequest.account_id, Account.email_key)
            .join(Account, Account.id == LinkRequest.account_id)
            .where(LinkRequest.id.in_(part), Account.email_key.is_not(None))
            .order_by(LinkRequest.id)
        ):
            if key and (account_id not in accounts or request_id in new):
                accounts[account_id] = (key, request_id)
    old = [account for account, (_key, request_id) in accounts.items() if request_id not in new]
    mailed = spread.accounts_mailed(KIND, old)
    lately = spread.lately(KIND, {key for key, _ in accounts.values()}, timedelta(days=1))
    mails = []
    for account_id, (key, request_id) in accounts.items():
        if account_id not in mailed and lately[key] < MAILS_A_DAY:
            lately[key] += 1
            mails.append((account_id, key, {"request_id": request_id}))
    spread.enqueue_spread(KIND, mails, per_hour=per_hour)


def withdraw(school_id: str, asked_at: datetime) -> None:
    """Take back, in the caller's transaction, what was asked at this moment about pupils of a
    school and waits for an answer: the import that asked is undone.

    It ends before its time and is kept: who was mailed once is not mailed by every import anew.
    """
    pupils = select(Child.id).where(Child.school_id == school_id)
    now = clock.now()
    update_all(
        LinkRequest,
        LinkRequest.asked_at == asked_at,
        LinkRequest.answered_at.is_(None),
        LinkRequest.expires_at > now,
        LinkRequest.child_id.in_(pupils),
        expires_at=now,
    )
