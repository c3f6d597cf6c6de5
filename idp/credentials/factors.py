"""What an account has beside its password, and whether it must be used."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import exists, or_, select

from idp.credentials import passkeys, recovery_codes, totp
from idp.credentials.models import Passkey, RecoveryCode, TotpEnrolment, TotpSecret
from idp.database import db
from idp.people.models import StaffRole


@dataclass(frozen=True)
class Factors:
    """An account's second factors. Passkeys count only where they can be used at all."""

    passkeys: int
    totp: bool
    codes_left: int
    staff: bool

    @property
    def any(self) -> bool:
        return self.totp or bool(self.passkeys)

    @property
    def required(self) -> bool:
        """Staff always (security rule A3); a parent who switched two-step sign-in on."""
        return self.staff or self.totp


def load(account_id: str) -> Factors:
    """The account's factors now."""
    app = exists().where(TotpSecret.account_id == account_id)
    work = exists().where(StaffRole.account_id == account_id)
    on, is_staff = db.session.execute(select(app, work)).one()
    return Factors(
        passkeys=passkeys.count(account_id) if passkeys.relying_party() else 0,
        totp=bool(on),
        codes_left=recovery_codes.left(account_id) if on else 0,
        staff=bool(is_staff),
    )


def has_any(account_id: str) -> bool:
    """Whether anything is kept of second factors, in use or not."""
    kept = (Passkey, TotpSecret, TotpEnrolment, RecoveryCode)
    there = or_(*(exists().where(each.account_id == account_id) for each in kept))
    with db.session.no_autoflush:  # what is being changed about the account is none of these
        return bool(db.session.scalar(select(there)))


def set_up_by(account_id: str, moment: datetime) -> bool:
    """Whether a second factor that is there was set up by then: the same app, the same passkey."""
    there = or_(
        exists().where(Passkey.account_id == account_id, Passkey.created_at <= moment),
        exists().where(TotpSecret.account_id == account_id, TotpSecret.created_at <= moment),
    )
    return bool(db.session.scalar(select(there)))


def used_since(account_id: str, moment: datetime) -> bool:
    """Whether a second factor was used or set up since then: its owner has lost nothing.

    Of a code only its time step is kept. What may have been shown a minute before counts too.
    """
    step = int(moment.timestamp()) // totp.PERIOD - totp.WINDOW
    used = or_(
        exists().where(
            Passkey.account_id == account_id,
            or_(Passkey.last_used_at >= moment, Passkey.created_at >= moment),
        ),
        exists().where(
            TotpSecret.account_id == account_id,
            or_(TotpSecret.last_step >= step, TotpSecret.created_at >= moment),
        ),
        exists().where(
            RecoveryCode.account_id == account_id,
            or_(RecoveryCode.used_at >= moment, RecoveryCode.created_at >= moment),
        ),
    )
    return bool(db.session.scalar(select(used)))
