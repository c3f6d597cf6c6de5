"""Guardians' accounts: made, found, locked, claimed, changed, disabled."""

from collections.abc import Iterator, Sequence
from typing import Any, Final

from sqlalchemy import ColumnElement, Row, Select, String, case, cast, func, null, select, update
from sqlalchemy.exc import IntegrityError

from idp import clock
from idp.audit import events
from idp.database import Ids, db, remembered, transaction, update_all
from idp.errors import Invalid
from idp.people import search_index
from idp.people.addresses import clean_email
from idp.people.models import ACCOUNT_STATUSES, Account, locked
from idp.people.names import (
    as_meant,
    checked_username,
    email_key,
    stored_names,
    username_key,
)
from idp.settings import LOCALES

LISTED: Final = (
    *("id", "username", "username_key", "given_name", "family_name", "email", "status", "locale"),
    *("created_at", "updated_at"),
)
PIECE: Final = 1000


def create_account(
    *,
    username: str,
    given_name: str,
    family_name: str,
    email: str | None = None,
    locale: str | None = None,
    school_id: str | None = None,
) -> Account:
    """Make a guardian's account, invited and without a password; raises ``Invalid``.

    ``school_id``: the school that makes it, and may read so in its audit log.
    """
    username, key = checked_username(username)
    given_name, family_name = stored_names(given_name, family_name)
    if email:
        email = clean_email("email", email)
    if locale is not None and locale not in LOCALES:
        raise Invalid("locale", "none_of", allowed=LOCALES)
    account = Account(
        username=username,
        username_key=key,
        given_name=given_name,
        family_name=family_name,
        email=email or None,
        email_key=email_key(email) if email else None,
        locale=locale,
    )
    with transaction() as writes:
        try:
            with writes.begin_nested():
                writes.add(account)
        except IntegrityError as error:  # the unique index decides, not a look beforehand
            raise Invalid("username", "taken") from error
        events.record("account_created", account_id=account.id, school_id=school_id)
        search_index.refresh_accounts([account.id])
        writes.flush()
    return account


def find_account(account_id: str) -> Account | None:
    """The account, whatever its status."""
    return db.session.get(Account, account_id)


def get_account(account_id: str) -> Account:
    """The account that a session, a grant or a row refers to."""
    return db.session.get_one(Account, account_id)


def find_by_username(text: str) -> Account | None:
    """The account with this user name, whatever its status."""
    return db.session.scalars(
        select(Account).where(Account.username_key == username_key(text))
    ).one_or_none()


def accounts_with_email(text: str) -> list[Account]:
    """The accounts that are not disabled and share this address, by user name.

    An ``email_key`` is its own key, so that a stored one may be given too.
    """
    return list(
        db.session.scalars(
            select(Account)
            .where(Account.email_key == email_key(text), Account.status != "disabled")
            .order_by(Account.username_key)
        )
    )


def find_by_identifier(text: str) -> Account | None:
    """Whom a person at the sign-in page means: by e-mail where only one account has it."""
    meant = as_meant(text)
    if "@" in meant:
        holders = accounts_with_email(meant)
        return holders[0] if len(holders) == 1 else None
    exact = username_key(text)
    named = db.session.scalars(
        select(Account).where(Account.username_key.in_({exact, username_key(meant)}))
    ).all()
    return max(named, key=lambda account: account.username_key == exact, default=None)


def list_accounts(*, status: str | None = None, email: str | None = None) -> Iterator[Row[Any]]:
    """Every account, or those of a status or an address, by user name; raises ``Invalid``.

    A thousand at a time: there may be a million.
    """
    if status is not None and status not in ACCOUNT_STATUSES:
        raise Invalid("status", "none_of", allowed=ACCOUNT_STATUSES)
    query = select(*(getattr(Account, name) for name in LISTED)).order_by(Account.username_key)
    if status is not None:
        query = query.where(Account.status == status)
    if email is not None:
        query = query.where(Account.email_key == email_key(email))
    return _in_pieces(query)


def lock_account(account_id: str) -> Account | None:
    """The account as it is now, which nobody else changes before this transaction ends.

    Whatever sets, disables or claims an account takes this first: one order of locks. Asked for
    again in the same transaction, it is the same.
    """
    if (known := locked(account_id)) is not None:
        return known
    account: Account | None = db.session.scalars(
        select(Account)
        .where(Account.id == account_id)
        # FOR NO KEY UPDATE: rows that refer to the account may still be added meanwhile
        .with_for_update(key_share=True)
        .execution_options(populate_existing=True)
    ).one_or_none()
    if account is not None:
        remembered()[f"account locked {account_id}"] = account
    return account


def lock_invited(account_ids: Sequence[str]) -> list[Account]:
    """Those of these accounts that are invited, held as by ``lock_account``, by id.

    In the order of their ids, so that two who hold many don't wait for each other.
    """
    return list(
        db.session.scalars(
            select(Account)
            .where(Account.id.in_(account_ids), Account.status == "invited")
            .order_by(Account.id)
            .with_for_update(key_share=True)
            .execution_options(populate_existing=True)
        )
    )


def activate(account: Account) -> None:
    """Make an invited account active; the caller holds it (``lock_account``)."""
    if account.status != "invited":
        return
    account.status = "active"
    account.updated_at = clock.now()
    account.claimed_at = account.claimed_at or account.updated_at
    events.record("account_activated", account_id=account.id)


def move_epochs(these: Ids) -> None:
    """Make proofs that are being judged worth nothing, of accounts that the caller holds.

    Of accounts in a list it is written with whatever else changes about each.
    """
    if isinstance(these, Select):
        epoch = Account.credentials_epoch + 1
        update_all(Account, Account.id.in_(these), credentials_epoch=epoch)
        return
    for account_id in these:
        get_account(account_id).credentials_epoch += 1


def mark_unproved(these: Ids) -> None:
    """Note that nobody has proved these accounts' addresses; proofs being judged are worthless."""
    epoch = Account.credentials_epoch + 1
    update_all(Account, Account.id.in_(these), email_verified_at=None, credentials_epoch=epoch)


def mark_disabled(these: Select[Any], *, closed: bool, **detail: Any) -> int:
    """Disable accounts that the caller holds; proofs that are being judged are worth nothing.

    ``these`` may yield their ids only as long as nothing has changed. ``closed``: because the last
    guardianship has ended, so that the next one opens them again. Returns how many.
    """
    now = clock.now()
    # A worker of the release before has not noted it when the account was claimed
    claimed_at = case(
        (Account.status == "active", func.coalesce(Account.claimed_at, now)),
        else_=Account.claimed_at,
    )
    with transaction() as writes:
        events.record_each("account_disabled", each(these), **detail)
        disabled = writes.scalars(
            update(Account)
            .where(Account.id.in_(these))
            .values(
                status="disabled",
                closed_at=now if closed else None,
                claimed_at=claimed_at,
                credentials_epoch=Account.credentials_epoch + 1,
                updated_at=now,
            )
            .returning(Account.id)
            .execution_options(synchronize_session="fetch")
        ).all()
    return len(disabled)


def each(these: Ids) -> Select[*tuple[Any, ...]]:
    """Rows for ``events.record_each``: these accounts, and no child."""
    return select(Account.id, cast(null(), String)).where(Account.id.in_(these))


def mark_enabled(account: Account) -> None:
    """Make a disabled account what it was: active where its holder had claimed it, else invited.

    The caller holds it.
    """
    account.status = "active" if account.claimed_at else "invited"
    account.closed_at = None
    account.updated_at = clock.now()
    events.record("account_enabled", account_id=account.id)


def change_email(account: Account, email: str | None, *, proved: bool) -> None:
    """Give an account another address, or none; the caller holds it (``lock_account``).

    ``proved``: whether its holder showed that mail to this very address reaches them. Raises
    ``Invalid``.
    """
    email = None if email is None else clean_email("email", email)
    key = None if email is None else email_key(email)
    now = clock.now()
    account.email = email
    account.email_key = key
    account.email_verified_at = now if key and proved else None
    account.updated_at = now
    search_index.refresh_accounts([account.id])


def prove_email(account: Account) -> None:
    """Note that mail to the account's present address reaches its holder, who is held."""
    if account.email and account.email_verified_at is None:
        account.email_verified_at = account.updated_at = clock.now()
        events.record("email_proved", account_id=account.id)


def change_name(account: Account, given_name: str, family_name: str) -> bool:
    """Give an account another name; the caller holds it. False where it is the same.

    Raises ``Invalid``.
    """
    given_name, family_name = stored_names(given_name, family_name)
    if (given_name, family_name) == (account.given_name, account.family_name):
        return False
    account.given_name, account.family_name = given_name, family_name
    account.updated_at = clock.now()
    search_index.refresh_accounts([account.id])
    return True


def change_username(account: Account, username: str) -> bool:
    """Give an account another user name; the caller holds it. False where it is the same.

    Raises ``Invalid`` where it is impossible, or somebody else's.
    """
    wanted, key = checked_username(username)
    if wanted == account.username:
        return False
    try:
        # The constraint decides: two may want one name at the same moment
        with db.session.begin_nested():
            account.username, account.username_key = wanted, key
            account.updated_at = clock.now()
            db.session.flush()
    except IntegrityError:
        raise Invalid("username", "taken") from None
    search_index.refresh_accounts([account.id])
    return True


def set_locale(account_id: str, locale: str) -> None:
    """Keep the language of a guardian's pages and mails; raises ``Invalid``."""
    if locale not in LOCALES:
        raise Invalid("locale", "none_of", allowed=LOCALES)
    with transaction():
        account = lock_account(account_id)
        if account is None or account.locale == locale:
            return
        account.locale = locale
        account.updated_at = clock.now()
        events.record("profile_changed", account_id=account_id, field="locale")


def note_passkey_offer(account_id: str, *which: ColumnElement[bool]) -> bool:
    """Note that a passkey is offered now; false where it was before, or where not ``which``."""
    never = Account.passkey_offered_at.is_(None)
    return bool(
        update_all(Account, Account.id == account_id, never, *which, passkey_offered_at=clock.now())
    )


def note_sign_in(account: Account) -> bool:
    """Note a sign-in of an account that the caller holds; true for its first, once."""
    first = account.first_sign_in_at is None
    account.last_sign_in_at = clock.now()
    account.first_sign_in_at = account.first_sign_in_at or account.last_sign_in_at
    return first


def _in_pieces(query: Any) -> Iterator[Row[Any]]:
    after = ""
    while rows := db.session.execute(query.where(Account.username_key > after).limit(PIECE)).all():
        yield from rows
        after = rows[-1].username_key
