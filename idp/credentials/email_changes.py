"""The states of a change of e-mail address, each left once, and the secrets that lead on.

The secrets are 256 random bits, made when the mail is sent and kept as keyed hashes, each
purpose under a key of its own (security rules P6 and P12). They stand in links only: nobody
types them. What a change does to the account is ``idp.lifecycle.email_change``'s.
"""

import secrets
from collections.abc import Collection
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import ColumnElement, and_, case, delete, func, or_, select

from idp import clock
from idp.credentials.models import EmailChange, EmailChangeLink
from idp.database import db, keyed_hash, transaction, update_all

CONFIRMED_WITHIN: Final = timedelta(hours=24)
"""How long the link to the new address works."""
UNDONE_WITHIN: Final = timedelta(days=7)
"""How long the old address may take a confirmed change back."""
LONGEST_SECRET: Final = 100

_CONFIRMABLE: Final = (
    EmailChange.confirmed_at.is_(None),
    EmailChange.undone_at.is_(None),
    EmailChange.ended_at.is_(None),
)
_OPEN: Final = (EmailChange.undone_at.is_(None), EmailChange.ended_at.is_(None))
_UNDOABLE: Final = (*_OPEN, EmailChange.undoable.is_not(False))


def begin_change(
    account_id: str, old_email: str | None, new_email: str, *, proved: bool
) -> EmailChange:
    """Begin a change in the caller's transaction; one that waited for its confirmation ends.

    ``proved``: whether the holder has proved the old address, which may then stop or undo it.
    An address that never answered may be a stranger's (security rule N1).
    """
    now = clock.now()
    change = EmailChange(
        account_id=account_id,
        old_email=old_email,
        new_email=new_email,
        undoable=proved and old_email is not None,
        asked_at=now,
        expires_at=now + CONFIRMED_WITHIN,
    )
    with transaction() as writes:
        end_waiting(EmailChange.account_id == account_id)
        writes.add(change)
        writes.flush()
    return change


def settled(account_id: str, old_email: str | None, new_email: str, *, proved: bool) -> EmailChange:
    """A change that the school made, in the caller's transaction: nobody confirms it.

    It ends no way back: a second correction must not use up the right that the first one left to
    an address (security rule N1). As long as corrections
    follow each other, the oldest proved address of them has that right, and gets the account
    back; ``proved``: else the old address, if the holder had proved it. The row is kept as long
    as the mails about it may need its addresses.
    """
    now = clock.now()
    back_to = _root_of_corrections(account_id) or (old_email if proved else None)
    change = EmailChange(
        account_id=account_id,
        old_email=old_email,
        new_email=new_email,
        by_school=True,
        undoable=back_to is not None,
        undo_email=back_to,
        asked_at=now,
        confirmed_at=now,
        ended_at=None if back_to else now,
        expires_at=now + UNDONE_WITHIN,
    )
    with transaction() as writes:
        writes.add(change)
        writes.flush()
    return change


def waiting(account_id: str) -> EmailChange | None:
    """The change that waits for its confirmation."""
    return db.session.scalars(
        select(EmailChange)
        .where(
            EmailChange.account_id == account_id,
            *_CONFIRMABLE,
            EmailChange.expires_at > clock.now(),
        )
        .order_by(EmailChange.asked_at.desc())
        .limit(1)
        .execution_options(populate_existing=True)
    ).one_or_none()


def open_rights(account_id: str) -> list[EmailChange]:
    """The changes in use that an address may still take back, the oldest first."""
    return list(
        db.session.scalars(
            select(EmailChange)
            .where(
                EmailChange.account_id == account_id,
                EmailChange.confirmed_at.is_not(None),
                *_UNDOABLE,
                EmailChange.expires_at > clock.now(),
            )
            .order_by(EmailChange.asked_at, EmailChange.id)
            .execution_options(populate_existing=True)
        )
    )


def disputed_until(account_id: str) -> datetime | None:
    """Until when neither side of an undone change gains the account; None where nobody waits."""
    return db.session.scalar(
        select(func.max(EmailChange.disputed_until)).where(
            EmailChange.account_id == account_id, EmailChange.disputed_until > clock.now()
        )
    )


def dispute(change: EmailChange) -> None:
    """Begin a dispute in the caller's transaction; as long as an undoing is possible."""
    change.disputed_until = clock.now() + UNDONE_WITHIN


def end_waiting_and_settle(*which: ColumnElement[bool]) -> int:
    """``end_waiting`` and ``settle`` by one statement; returns how many it changed."""
    waits, disputed = and_(*_CONFIRMABLE), EmailChange.disputed_until.is_not(None)
    ended_at = case((waits, clock.now()), else_=EmailChange.ended_at)
    concerned = or_(waits, disputed)
    return update_all(EmailChange, *which, concerned, ended_at=ended_at, disputed_until=None)


def settle(*which: ColumnElement[bool]) -> int:
    """End the disputes about these changes, in the caller's transaction; returns how many."""
    disputed = EmailChange.disputed_until.is_not(None)
    return update_all(EmailChange, *which, disputed, disputed_until=None)


def end_right(change: EmailChange) -> bool:
    """End the way back that a change in use left, in the caller's transaction: true once."""
    confirmed = EmailChange.confirmed_at.is_not(None)
    return _leave(change, *_UNDOABLE, confirmed, ended_at=clock.now())


def get_change(change_id: str) -> EmailChange | None:
    """A change as it is now, whatever has become of it."""
    return db.session.get(EmailChange, change_id, populate_existing=True)


def is_waiting(change: EmailChange) -> bool:
    """Whether it may still be confirmed."""
    return change.confirmed_at is None and is_open(change)


def is_in_use(change: EmailChange) -> bool:
    """Whether it was confirmed, and nobody has undone it."""
    return change.confirmed_at is not None and change.undone_at is None


def is_open(change: EmailChange) -> bool:
    """Whether it is in time, and neither taken back nor over."""
    over = change.undone_at is not None or change.ended_at is not None
    return not over and change.expires_at > clock.now()


def is_undoable(change: EmailChange) -> bool:
    """Whether an address may still undo it, or keep it from being confirmed."""
    return change.taken_back_by is not None and is_open(change)


def confirm(change: EmailChange) -> bool:
    """Confirm in the caller's transaction: true for exactly one caller, ever."""
    now = clock.now()
    return _leave(change, *_CONFIRMABLE, confirmed_at=now, expires_at=now + UNDONE_WITHIN)


def undo(change: EmailChange) -> bool:
    """Undo in the caller's transaction, confirmed or not: true for exactly one caller, ever."""
    return _leave(change, *_UNDOABLE, undone_at=clock.now())


def end_waiting(*which: ColumnElement[bool]) -> int:
    """End those of these that wait for their confirmation; what was confirmed may be undone."""
    return update_all(EmailChange, *which, *_CONFIRMABLE, ended_at=clock.now())


def end_open(*which: ColumnElement[bool]) -> int:
    """End those of these that are not over, with the ways back that they left."""
    return update_all(EmailChange, *which, *_OPEN, ended_at=clock.now())


def mint_link(change: EmailChange, purpose: str, outbox_id: str) -> str:
    """Make the secret of a mail in the caller's transaction; returned in clear the only time."""
    secret = secrets.token_urlsafe(32)
    with transaction() as writes:
        writes.add(
            EmailChangeLink(
                secret_hash=_secret_hash(purpose, secret),
                change_id=change.id,
                purpose=purpose,
                outbox_id=outbox_id,
                created_at=clock.now(),
            )
        )
        writes.flush()
    return secret


def find_by_secret(purpose: str, secret: str) -> EmailChange | None:
    """The change that this secret may still confirm or undo; spends nothing."""
    states = _CONFIRMABLE if purpose == "confirm" else _UNDOABLE
    return db.session.scalars(
        select(EmailChange)
        .join(EmailChangeLink, EmailChangeLink.change_id == EmailChange.id)
        .where(
            EmailChangeLink.secret_hash == _secret_hash(purpose, secret[:LONGEST_SECRET]),
            EmailChangeLink.purpose == purpose,
            *states,
            EmailChange.expires_at > clock.now(),
        )
        .execution_options(populate_existing=True)
    ).one_or_none()


def withdraw_links(
    outbox_id: str, since: datetime, _account_ids: Collection[str] | None = None
) -> None:
    """Forget the secrets made since then for a mail that is known not to have left: the only one
    of its row, whoever's it is.
    """
    with transaction() as writes:
        writes.execute(
            delete(EmailChangeLink).where(
                EmailChangeLink.outbox_id == outbox_id, EmailChangeLink.created_at >= since
            )
        )


def _root_of_corrections(account_id: str) -> str | None:
    """Who may take a run of corrections back, if the newest change in use is the school's."""
    newest = db.session.scalars(
        select(EmailChange.by_school)
        .where(EmailChange.account_id == account_id, EmailChange.confirmed_at.is_not(None))
        .where(EmailChange.undone_at.is_(None))
        .order_by(EmailChange.asked_at.desc(), EmailChange.id)
        .limit(1)
    ).one_or_none()
    if not newest:
        return None
    corrections = (each for each in open_rights(account_id) if each.by_school)
    oldest = next(corrections, None)
    return oldest.taken_back_by if oldest else None


def _leave(change: EmailChange, *state: object, **values: datetime) -> bool:
    with transaction() as writes:
        left = update_all(
            EmailChange,
            EmailChange.id == change.id,
            *state,
            EmailChange.expires_at > clock.now(),
            **values,
        )
        writes.refresh(change)
    return bool(left)


def _secret_hash(purpose: str, secret: str) -> str:
    return keyed_hash(f"email {purpose}", secret)
