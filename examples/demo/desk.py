"""The staff of the schools' desks, made once; the demo plays their authenticator apps."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

import pyotp

from examples.demo import places
from examples.demo.enrolment import PASSWORD
from examples.demo.school_year import SCHOOLS
from idp import clock
from idp.credentials import passwords, totp
from idp.database import transaction
from idp.lifecycle import factor_changes
from idp.lifecycle.second_factor import WrongCode
from idp.people import accounts
from idp.people.models import Account, School

BROWSER: Final = "the demo's own"
APP_STEP: Final = 30
IN_OFFICE: Final = timedelta(days=365)


@dataclass(frozen=True)
class Clerk:
    """Somebody of the staff. ``school``: the key of theirs; None for the platform's operator."""

    role: str
    username: str
    given_name: str
    family_name: str
    school: str | None = None
    may_print: bool = False

    @property
    def email(self) -> str:
        return f"{self.username}@it-school.example"


STAFF: Final = (
    Clerk("operator", "ingrid.operatrice", "Ingrid", "Claes", may_print=True),
    Clerk("manager", "benedicte.lacroix", "Bénédicte", "Lacroix", "tilleuls", may_print=True),
    Clerk("helper", "samir.accueil", "Samir", "Benali", "tilleuls"),
    Clerk("manager", "thierry.odile", "Thierry", "Odile", "moulin", may_print=True),
)


def staff_once(schools: Mapping[str, School]) -> dict[str, str]:
    """Make whoever is missing; the secret of each one's authenticator app, by user name."""
    secrets = _known_secrets()
    missing = [clerk for clerk in STAFF if accounts.find_by_username(clerk.username) is None]
    if missing:
        password = passwords.hashed(PASSWORD)
        for clerk in missing:
            secrets[clerk.username] = _engage(clerk, schools, password)
    places.write_private(places.AUTHENTICATOR, json.dumps(secrets, indent=2) + "\n")
    return secrets


def described(secrets: Mapping[str, str]) -> list[dict[str, Any]]:
    """Who there is to try, for ``demo.json``."""
    return [
        {
            "role": clerk.role,
            "school": SCHOOLS[clerk.school].name if clerk.school else None,
            "username": clerk.username,
            "password": PASSWORD,
            "totp_secret": secrets.get(clerk.username),
        }
        for clerk in STAFF
    ]


def _engage(clerk: Clerk, schools: Mapping[str, School], password: passwords.Hashed) -> str:
    with transaction():
        account = accounts.create_account(
            username=clerk.username,
            given_name=clerk.given_name,
            family_name=clerk.family_name,
            email=clerk.email,
        )
        passwords.store(account.id, password)
        accounts.activate(account)
        secret = _with_app(account)
        school_id = schools[clerk.school].id if clerk.school else None
        role = factor_changes.grant_role(
            account.id, clerk.role, school_id, may_print=clerk.may_print
        )
        assert role is not None
        # They have worked here since last year: a role of today resets nobody's second step
        role.granted_at = clock.now() - IN_OFFICE
    return secret


def _with_app(account: Account) -> str:
    totp.begin(account.id, BROWSER)
    secret = totp.pending_secret(account.id, BROWSER)
    assert secret is not None
    try:
        _switch_on(account, secret)
    except WrongCode:  # half a minute ended between the code and the look at it
        _switch_on(account, secret)
    return secret


def _switch_on(account: Account, secret: str) -> None:
    # The code of half a minute ago: the one of now stays free for the first sign-in
    code = pyotp.TOTP(secret).at(clock.timestamp() - APP_STEP)
    factor_changes.switch_on(account.id, code, browser=BROWSER, epoch=account.credentials_epoch)


def _known_secrets() -> dict[str, str]:
    try:
        known: dict[str, str] = json.loads(places.AUTHENTICATOR.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return known
