"""A provider at localhost, where passkeys work, and an account with factors of each kind."""

import re
from collections.abc import Callable
from typing import Any

import pyotp
from sqlalchemy import select
from werkzeug.test import TestResponse

from idp import clock
from idp.audit.models import AuditEvent
from idp.credentials import recovery_codes, totp
from idp.credentials.models import Passkey, TotpSecret
from idp.database import db, transaction
from idp.mail.models import OutboxMessage
from tests.authenticator import Authenticator, make
from tests.factories import PASSWORD
from tests.relying_party import Browser
from tests.web.places import Place

ISSUER = "http://localhost:8000"


def add_passkey(browser: Browser, authenticator: Authenticator, **bent: Any) -> None:
    """The signed-in guardian of this browser adds a passkey on their page."""
    browser.open("/account/passkeys")
    make(browser, "passkey-add-form", authenticator, **bent)
    assert browser.shows("passkey-list"), browser.page and browser.page.text[:3000]


def switch_on(account_id: str) -> tuple[str, list[str]]:
    """Give an account an app; returns its secret and the recovery codes. No code is used up."""
    secret = pyotp.random_base32()
    with transaction() as writes:
        writes.add(TotpSecret(account_id=account_id, sealed_secret=totp._seal(account_id, secret)))
        codes = recovery_codes.replace(account_id)
    return secret, codes


def key_on(page: TestResponse | None) -> str:
    """The app's key as a page shows it, and as it is copied: without spaces."""
    assert page is not None
    shown = page.text.split('id="totp-secret"')[1].partition(">")[2].partition("</code>")[0]
    return re.sub(r"<[^>]*>|\s", "", shown)


def code_now(secret: str, steps: int = 0) -> str:
    """The code that the app shows now, or some steps from now."""
    return pyotp.TOTP(secret).generate_otp(clock.timestamp() // 30 + steps)


def wrong_code(secret: str) -> str:
    """A code that is none of those that would do."""
    near = {code_now(secret, step) for step in range(-2, 3)}
    return next(code for code in ("000000", "111111", "222222", "333333") if code not in near)


def passkey_of(here: Place) -> Passkey:
    db.session.rollback()
    db.session.expire_all()
    return db.session.scalars(select(Passkey).where(Passkey.account_id == here.parent.id)).one()


def audited(event: str) -> list[AuditEvent]:
    db.session.rollback()
    return list(
        db.session.scalars(
            select(AuditEvent).where(AuditEvent.event == event).order_by(AuditEvent.id)
        )
    )


def told(what: str) -> list[OutboxMessage]:
    """The mails about this change."""
    db.session.rollback()
    return list(db.session.scalars(select(OutboxMessage).where(OutboxMessage.kind == what)))


def signed_in_with(here: Place, sign_in: Callable[[], object]) -> dict[str, Any]:
    """The ID token's claims of a sign-in for the portal that ``sign_in`` finishes."""
    from tests.relying_party import answer, claims_of

    here.at_sign_in()
    sign_in()
    assert here.browser.page is not None
    fields = answer(here.browser.page)
    tokens = here.portal.redeem(here.browser.client, fields["code"])
    return claims_of(here.browser.client, (tokens.json or {})["id_token"])


def begin_app(browser: Browser) -> TestResponse:
    """Press « switch on », and prove who it is: a sign-in alone is not enough."""
    page = browser.press("two-factor-begin")
    if browser.shows("confirm-form"):
        page = browser.submit("confirm-form", current_password=PASSWORD)
    return page
