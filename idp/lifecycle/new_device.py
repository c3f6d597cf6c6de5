"""A sign-in from a browser that the account does not know: its owner hears of it by mail."""

from idp.audit import events
from idp.credentials import devices
from idp.mail import outbox
from idp.people import accounts
from idp.people.models import Account
from idp.sessions.models import BrowserSession


def notice(account: Account, session: BrowserSession, device_secret: str | None) -> None:
    """Tell the owner of a sign-in from an unknown browser, in the transaction that begins it.

    Not for the very first sign-in, and not where a mailed token was what let them in: that
    browser's owner reads this mailbox, and the mail about the new password says it all.
    """
    first = accounts.note_sign_in(account)
    if first or not account.email or session.amr == "otp":
        return
    if devices.is_known_device(account.id, device_secret):
        return
    events.record("new_device", account_id=account.id, session_id=session.id)
    about = {"session_id": session.id, "device": session.device}
    outbox.enqueue("new_device", account_id=account.id, about=about)
