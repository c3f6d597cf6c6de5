"""The mails about an account: what each says, to whom, and its token."""

from idp.credentials import email_changes
from idp.lifecycle.mails import account, desk, previews, tokens
from idp.mail import delivery

COMPOSERS = {**tokens.COMPOSERS, **account.COMPOSERS, **desk.COMPOSERS, **previews.COMPOSERS}
"""Who writes each kind of ``idp.mail.kinds``."""


def register() -> None:
    """Tell the mail worker; part of ``create_app``."""
    delivery.composers.update(COMPOSERS)
    for withdrawal in (tokens.withdraw_tokens, email_changes.withdraw_links):
        if withdrawal not in delivery.withdrawals:
            delivery.withdrawals.append(withdrawal)
