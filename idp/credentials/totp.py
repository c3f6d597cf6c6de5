"""Codes of an authenticator app (RFC 6238): six digits, 30 seconds, each accepted once.

The secret is sealed under a key derived from the pepper and the account: the table alone
yields no code, and a row moved to another account opens nothing.
"""

import hmac
import io
import re
from base64 import urlsafe_b64encode
from datetime import timedelta
from typing import Final

import pyotp
from cryptography.fernet import Fernet, InvalidToken
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from sqlalchemy import ColumnElement, delete, select

from idp import clock, settings
from idp.credentials import peppers
from idp.credentials.models import TotpEnrolment, TotpSecret
from idp.credentials.peppers import Pepper
from idp.database import db, delete_all, keyed_hash, transaction, update_all
from idp.people.models import AccountRow

PERIOD: Final = 30
DIGITS: Final = 6
WINDOW: Final = 1
"""Steps before and after the present one: the phone's clock may be that wrong (RFC 6238 §5.2)."""
ENROLMENT_LIFETIME: Final = timedelta(minutes=15)
SECRET_CHARACTERS: Final = 32  # of base32: 160 bits, as RFC 4226 §4 recommends
_MARKED: Final = "~"
_SPACES = re.compile(r"[\s\u00a0-]+")


def is_on(account_id: str) -> bool:
    """Whether the account has an authenticator app."""
    query = select(TotpSecret.account_id).where(TotpSecret.account_id == account_id)
    return db.session.scalars(query).one_or_none() is not None


def since(account_id: str) -> TotpSecret | None:
    """The account's row, for the time since when it is on."""
    return db.session.get(TotpSecret, account_id, populate_existing=True)


def begin(account_id: str, browser: str) -> None:
    """Make a secret that this browser may show until its first code comes.

    Another browser never sees it: nobody slips their own secret under an owner's eyes.
    """
    secret = pyotp.random_base32(SECRET_CHARACTERS)
    enrolment = TotpEnrolment(
        account_id=account_id,
        browser_hash=_browser_hash(browser),
        sealed_secret=_seal(account_id, secret),
        expires_at=clock.now() + ENROLMENT_LIFETIME,
    )
    with transaction() as writes:
        writes.merge(enrolment)


def pending_secret(account_id: str, browser: str) -> str | None:
    """The secret that waits for its first code in this browser, in base32."""
    enrolment = db.session.scalars(
        select(TotpEnrolment)
        .where(
            TotpEnrolment.account_id == account_id,
            TotpEnrolment.browser_hash == _browser_hash(browser),
            TotpEnrolment.expires_at > clock.now(),
        )
        .execution_options(populate_existing=True)
    ).one_or_none()
    return _open(account_id, enrolment.sealed_secret) if enrolment else None


def confirm(account_id: str, browser: str, code: str) -> bool:
    """Switch the waiting secret on if this is its code; in the caller's transaction.

    The caller holds the account. The code counts as used: it does not sign in as well.
    """
    secret = pending_secret(account_id, browser)
    step = _step_of(secret, code) if secret else None
    if secret is None or step is None:
        return False
    with transaction() as writes:
        writes.execute(delete(TotpEnrolment).where(TotpEnrolment.account_id == account_id))
        writes.merge(
            TotpSecret(
                account_id=account_id,
                sealed_secret=_seal(account_id, secret),
                last_step=step,
                created_at=clock.now(),
            )
        )
    return True


def spend(account_id: str, code: str) -> bool:
    """Whether this is a code of now that nobody has used: true once for each code.

    The caller has counted the attempt (``throttling``).
    """
    row = db.session.get(TotpSecret, account_id, populate_existing=True)
    secret = _open(account_id, row.sealed_secret) if row else None
    step = _step_of(secret, code) if secret else None
    if row is None or step is None:
        return False
    # RFC 6238 §5.2: the verifier MUST NOT accept the second attempt of the OTP
    anew = {"sealed_secret": _seal(account_id, secret)} if secret and _is_former(row) else {}
    spent = update_all(
        TotpSecret,
        TotpSecret.account_id == account_id,
        TotpSecret.sealed_secret == row.sealed_secret,
        TotpSecret.last_step < step,
        last_step=step,
        **anew,
    )
    return bool(spent)


def switch_off(*which: ColumnElement[bool]) -> int:
    """Forget these ``TotpSecret``s, in the caller's transaction; returns how many."""
    return delete_all(TotpSecret, *which)


def forget_enrolments(*which: ColumnElement[bool]) -> int:
    """Forget these secrets that wait for their first code; returns how many."""
    return delete_all(TotpEnrolment, *which)


def in_groups(secret: str) -> str:
    """The secret as a person types it: groups of four."""
    return " ".join(secret[start : start + 4] for start in range(0, len(secret), 4))


def app_link(account: AccountRow, secret: str) -> str:
    """What an app takes the secret from, on the very device that shows the page: ``otpauth:``.

    It is opened by the device, asked of no server, and the page that holds it is not stored.
    """
    return pyotp.TOTP(secret).provisioning_uri(
        name=account.username, issuer_name=settings.current().platform_name
    )


def qr_code(account: AccountRow, secret: str) -> str:
    """The secret as a QR code: an SVG element that stands in the page itself.

    It has no address: the secret is in no URL, no history and no proxy's log.
    """
    import segno

    out = io.BytesIO()
    segno.make(app_link(account, secret), error="m", micro=False).save(
        out, kind="svg", xmldecl=False, svgns=True, omitsize=True, svgclass="qr", lineclass=None
    )
    return out.getvalue().decode("ascii")


def _step_of(secret: str, code: str) -> int | None:
    """The time step that this is the code of, within the window; None for a wrong one."""
    typed = _SPACES.sub("", code)
    if not (typed.isascii() and typed.isdigit() and len(typed) == DIGITS):
        return None
    otp, now = pyotp.TOTP(secret, digits=DIGITS, interval=PERIOD), clock.timestamp() // PERIOD
    matching = None
    for step in range(now - WINDOW, now + WINDOW + 1):
        if hmac.compare_digest(otp.generate_otp(step), typed):
            matching = step
    return matching


def _seal(account_id: str, secret: str) -> str:
    pepper = peppers.newest()
    mark = f"{_MARKED}{pepper.mark}." if pepper.mark else ""
    return mark + _cipher(account_id, pepper).encrypt(secret.encode()).decode()


def _is_former(row: TotpSecret) -> bool:
    return _pepper_of(row.sealed_secret) != peppers.newest()


def _pepper_of(sealed: str) -> Pepper | None:
    marked = sealed.startswith(_MARKED)
    return peppers.marked(sealed.removeprefix(_MARKED).partition(".")[0] if marked else "")


def _open(account_id: str, sealed: str) -> str | None:
    pepper = _pepper_of(sealed)
    if pepper is None:  # it is gone: staff reset the factor
        return None
    try:
        token = sealed.rpartition(".")[2]
        return _cipher(account_id, pepper).decrypt(token.encode()).decode()
    except InvalidToken:  # sealed under a pepper of before: staff reset the factor
        return None


def _cipher(account_id: str, pepper: Pepper) -> Fernet:
    derive = HKDF(SHA256(), length=32, salt=None, info=b"totp secret 1|" + account_id.encode())
    return Fernet(urlsafe_b64encode(derive.derive(pepper.secret)))


def _browser_hash(browser: str) -> str:
    return keyed_hash("totp enrolment", browser)
