"""The mails that guardians get: who is written to, about what, with which token.

Tokens are minted here, when the mail is sent, inside the transaction that the worker opens;
the words are in ``templates/mail``.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from babel.lists import format_list

from idp import settings
from idp.clients import registration
from idp.credentials import email_changes, one_time_tokens, passkeys
from idp.credentials.models import OneTimeToken
from idp.lifecycle import factor_undo
from idp.lifecycle.mails import readers
from idp.lifecycle.mails.readers import Reader
from idp.mail import messages, outbox
from idp.mail.delivery import Composer
from idp.mail.kinds import KINDS
from idp.mail.messages import Message, clean
from idp.mail.models import OutboxMessage
from idp.people.accounts import accounts_with_email, lock_account
from idp.people.models import TEXT_KINDS, Account, School
from idp.people.school_texts import words_of
from idp.settings.providers import ProviderSettings


@dataclass(frozen=True)
class Access:
    """One account of the reader's, with its own token."""

    username: str
    token: str
    link: str
    lifetime: timedelta
    holder: str = ""
    """Whose account it is, where the mailbox is shared."""

    @property
    def days(self) -> int:
        """Whole days that the token works; 0 where hours say it better."""
        return self.lifetime.days if self.lifetime >= timedelta(days=2) else 0

    @property
    def hours(self) -> int:
        return int(self.lifetime / timedelta(hours=1))

    @property
    def minutes(self) -> int:
        return int(self.lifetime / timedelta(minutes=1))


def invitation(message: OutboxMessage) -> list[Message]:
    """The first mail to a guardian, with the token of the first sign-in."""
    return tokens_for(message, [each for each in holders(message) if each.status == "invited"])


def new_token(message: OutboxMessage) -> list[Message]:
    """For the holder of one that had expired, or for a guardian who is on the phone with the
    school.
    """
    return tokens_for(message, holders(message))


def password_reset(message: OutboxMessage) -> list[Message]:
    """New tokens for every account of the address that somebody typed.

    Goes to the address as it is stored (security rule P16); a shared one gets one mail.
    """
    theirs = accounts_with_email(message.about["email"])
    tried = (_held(account.id) for account in sorted(theirs, key=lambda account: account.id))
    held = [account for account in tried if account is not None]
    if len(held) == 1:
        message.account_id = held[0].id  # whose mail it is, for « did it leave? »
    by_mailbox: dict[str, list[Account]] = {}
    missing = (account for account in held if not outbox.has_left(message, account.id))
    for account in sorted(missing, key=lambda account: account.username_key):
        by_mailbox.setdefault(messages.mailbox(account.email or ""), []).append(account)
    return [mail for theirs in by_mailbox.values() for mail in tokens_for(message, theirs)]


def password_changed(message: OutboxMessage) -> list[Message]:
    """Tells a guardian that the password was changed, in case it was somebody else."""
    unlinked = [_provider(key) for key in message.about.get("unlinked", ())]
    return to_holder(message, link=messages.sign_in_link(), unlinked=unlinked)


def about_link(message: OutboxMessage) -> list[Message]:
    """Tells a guardian that a foreign identity opens their account from now on, or no longer.

    With a token where a provider ended the link, and it was the last way in.
    """
    key, with_token = message.about.get("provider", ""), bool(message.about.get("token"))
    return [
        about_account(
            message,
            account,
            provider=_provider(key),
            link=messages.account_link(),
            undo=_undo_link(
                factor_undo.link_of(account.id, key) if message.kind == "link_made" else None
            ),
            accesses=[_access(account, message.id, None, first=True)] if with_token else [],
        )
        for account in holders(message)
    ]


def factor_changed(message: OutboxMessage) -> list[Message]:
    """Tells a guardian what became of their passkeys, app or recovery codes, and how to undo it."""
    passkey = passkeys.find(message.about.get("passkey", ""))
    added = None
    if message.kind == "passkey_added" and passkey:
        added = factor_undo.find("passkey", passkey.id)
    elif message.kind == "two_step_on" and message.account_id:
        added = factor_undo.find("app", message.account_id)
    return to_holder(
        message,
        template="factor_changed",
        what=message.kind,
        passkey=clean(passkey.name) if passkey else "",
        left=message.about.get("left", 0),
        undo=_undo_link(added),
        link=messages.sign_in_link(),
    )


def _undo_link(added: factor_undo.Added | None) -> str:
    if added is None or not factor_undo.is_provable(added):
        return ""
    return messages.own_link("/account/factor/undo", added.secret)


def _provider(key: str) -> ProviderSettings:
    """Knows its name in every language, also when it is not configured any more."""
    configured = {each.key: each for each in settings.current().providers}
    return configured.get(key) or ProviderSettings(key=clean(key))


COMPOSERS: dict[str, Composer] = {
    "invitation": invitation,
    "password_reset": password_reset,
    "password_changed": password_changed,
    **dict.fromkeys(("fresh_token", "school_token"), new_token),
    **dict.fromkeys(("link_made", "link_removed", "link_ended"), about_link),
    **dict.fromkeys(
        (
            *("passkey_added", "passkey_removed", "passkeys_removed_at_claim", "passkey_undone"),
            *("two_step_on", "two_step_off", "app_undone", "link_undone"),
            *("recovery_codes_replaced", "recovery_code_used"),
            *("factors_reset", "factors_reset_asked", "factors_reset_declined"),
        ),
        factor_changed,
    ),
}


def to_holder(message: OutboxMessage, *, template: str = "", **context: Any) -> list[Message]:
    """One mail about an account to its holder, if they may sign in and have an address."""
    return [
        about_account(message, account, template=template, **context)
        for account in holders(message)
    ]


def about_account(
    message: OutboxMessage,
    account: Account,
    *,
    template: str = "",
    recipient: str | None = None,
    **context: Any,
) -> Message:
    """One mail about an account: to its own address, or to ``recipient``, a stored one.

    ``template``: where it is not called as the kind of mail is.
    """
    context = {"username": clean(account.username), **context}
    return _written(message, [account], context, template, recipient)


def withdraw_tokens(
    outbox_id: str, since: datetime, account_ids: Collection[str] | None = None
) -> None:
    """End the tokens minted since then for a mail that is known not to have left; of these
    accounts only, if any are named.
    """
    which = [OneTimeToken.outbox_id == outbox_id, OneTimeToken.created_at >= since]
    if account_ids is not None:
        which.append(OneTimeToken.account_id.in_(account_ids))
    one_time_tokens.end(*which)


def holders(message: OutboxMessage) -> list[Account]:
    """The account that a message is about, if it may sign in and has an address; held."""
    account = _held(message.account_id) if message.account_id else None
    return [account] if account else []


def _held(account_id: str) -> Account | None:
    """The account, if it may sign in and has an address; as it is until the tokens are made."""
    account = lock_account(account_id)
    if account is None or not account.email or account.status not in {"invited", "active"}:
        return None
    return account


def tokens_for(message: OutboxMessage, accounts: list[Account]) -> list[Message]:
    """One mail to one mailbox, with a token for each of its accounts.

    Where a change of address was undone against somebody's proof, a mailbox alone gains no
    account: whoever asks on a page is told so, and the school decides (security rule N1).
    """
    disputed = [
        each
        for each in accounts
        if KINDS[message.kind].anybody_asks and email_changes.disputed_until(each.id)
    ]
    mails = [about_account(message, each, template="token_withheld") for each in disputed]
    others = [each for each in accounts if each not in disputed]
    if others:
        client_id = message.about.get("client_id")
        client = registration.find(client_id) if client_id else None
        lead_to = client.id if client else None
        accesses = [_access(account, message.id, lead_to) for account in others]
        mails.append(_written(message, others, {"accesses": accesses}))
    return mails


def _access(
    account: Account, outbox_id: str, client_id: str | None, *, first: bool = False
) -> Access:
    """A token of its own; ``first``: with an invitation's term, as nobody asked for the mail."""
    # Whoever never signed in keeps the longer term, also when a stranger asked for the mail.
    values = settings.current()
    purpose, lifetime = "password_reset", values.password_reset_lifetime
    if first or account.status == "invited":
        purpose, lifetime = "first_sign_in", values.first_sign_in_lifetime
    token = one_time_tokens.mint(
        account.id, purpose, outbox_id=outbox_id, client_id=client_id, sent_to=account.email_key
    )
    link, holder = messages.welcome_link(token), clean(account.full_name)
    return Access(clean(account.username), token, link, lifetime, holder)


def _written(
    message: OutboxMessage,
    accounts: Sequence[Account],
    context: dict[str, Any],
    template: str = "",
    recipient: str | None = None,
) -> Message:
    template = template or message.kind
    reader = readers.reader_of(accounts, message.about.get("client_id"))
    locale = locale_of(accounts, message.about.get("locale"), reader.schools)
    email = recipient or accounts[0].email or ""
    mail = messages.render(
        template,
        locale,
        email,
        face=reader.face,
        name=format_list([clean(account.full_name) for account in accounts], locale=locale),
        place=reader.face.name,
        reader=reader,
        contacts=reader.contacts,
        **({"when": message.created_at} | _own_words(template, locale, reader) | context),
    )
    return replace(mail, accounts=tuple(account.id for account in accounts))


def _own_words(template: str, locale: str, reader: Reader) -> dict[str, Any]:
    """What the school says to parents in this mail: nothing to a colleague, and nothing where
    the reader has children at several, since one school does not speak for another (rule C3).
    """
    if len(reader.schools) != 1 or reader.colleague or template not in TEXT_KINDS:
        return {}
    return {"words": words_of(reader.schools[0].id, template, locale)}


def locale_of(accounts: Sequence[Account], asked_in: str | None, schools: Sequence[School]) -> str:
    """The reader's own language, else that of the page, else the school's, else ours."""
    wishes = [
        *(account.locale for account in accounts),
        asked_in,
        *(school.locale for school in schools),
    ]
    known = (wish for wish in wishes if wish in settings.LOCALES)
    return next(known, None) or settings.current().default_locale
