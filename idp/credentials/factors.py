"""What an account has beside its password, and whether it must be used."""

from dataclasses import dataclass

from idp.credentials import passkeys, recovery_codes, totp
from idp.people import staff


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


def of(account_id: str) -> Factors:
    """The account's factors now."""
    on = totp.is_on(account_id)
    return Factors(
        passkeys=passkeys.count(account_id) if passkeys.relying_party() else 0,
        totp=on,
        codes_left=recovery_codes.left(account_id) if on else 0,
        staff=staff.is_staff(account_id),
    )
