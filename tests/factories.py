"""A small world for each test: schools, guardians, children, applications."""

from datetime import timedelta
from itertools import count
from typing import Any

from sqlalchemy import ColumnElement, false, select, update

from idp import clock, settings
from idp.credentials import passwords
from idp.credentials.models import Passkey, TotpSecret
from idp.database import transaction
from idp.people import accounts, linking
from idp.people.children import create_child
from idp.people.models import Account, Child, Guardianship, School, StaffRole
from idp.people.schools import create_school
from idp.sessions import service as sessions

PASSWORD = "Lampe-Fougère-Tambour-7"
_numbers = count(1)


def school(name: str = "Collège des Tilleuls", **changes: Any) -> School:
    values = {"contact_name": "Mme Peeters", "contact_email": "bureau@tilleuls.example", **changes}
    return create_school(name, **values)


def account(
    username: str | None = None,
    *,
    password: str | None = None,
    status: str = "active",
    given_name: str = "Claire",
    family_name: str = "Dubois",
    email: str | None = None,
    locale: str | None = None,
    proved: bool = False,
) -> Account:
    """A guardian; active ones have a password (``PASSWORD`` unless another is given).

    ``proved``: the holder has shown that mail to the address reaches them.
    """
    name = username or f"parent{next(_numbers)}"
    with transaction():
        made = accounts.create_account(
            username=name,
            given_name=given_name,
            family_name=family_name,
            email=email,
            locale=locale,
        )
        made.status = status
        made.claimed_at = made.created_at if status == "active" else None
        made.email_verified_at = clock.now() if proved else None
        if status == "active" or password:
            passwords.store(made.id, _hashed(password or PASSWORD))
    return made


_hashes: dict[tuple[object, ...], passwords.Hashed] = {}


def _hashed(password: str) -> passwords.Hashed:
    """Hashed once, however many have this password: it takes as long as all else of an account."""
    now = settings.current()
    of = (password, now.password_pepper, now.bcrypt_cost)
    if of not in _hashes:
        _hashes[of] = passwords.hashed(password)
    return _hashes[of]


def child(of_school: School, given_name: str = "Lina", **changes: Any) -> Child:
    values = {"family_name": "Dubois", "class_name": "3B", **changes}
    return create_child(of_school.id, given_name, **values)


def guardianship(
    of_account: Account, of_child: Child, relationship: str = "parent"
) -> Guardianship:
    return linking.link_guardian(of_account.id, of_child.id, relationship)


def family(
    of_school: School, *given_names: str, **account_changes: Any
) -> tuple[Account, list[Child]]:
    """A guardian with one child for each given name, at one school; in half the time, together."""
    with transaction():
        parent = account(**account_changes)
        children = [child(of_school, name) for name in given_names]
        for each in children:
            guardianship(parent, each)
    return parent, children


def long_in_office() -> None:
    """Every role that there is was given years ago, and the second steps of staff are as old."""
    long_ago, theirs = clock.now() - timedelta(days=1000), select(StaffRole.account_id)
    with transaction() as writes:
        writes.execute(update(StaffRole).values(granted_at=long_ago))
        for factor in (TotpSecret, Passkey):
            of_staff = update(factor).where(factor.account_id.in_(theirs))
            writes.execute(of_staff.values(created_at=long_ago))


def client_app(*schools: School, **metadata: Any) -> Any:
    """A registered application: ``Registered`` with its client and its secret in clear."""
    from idp.clients import registration

    values = {
        "client_name": "Portail",
        "redirect_uris": ["https://portal.example/callback"],
        "post_logout_redirect_uris": ["https://portal.example/"],
        "scope": "openid profile email child offline_access",
        "first_party": True,
        "require_pkce": False,
        **metadata,
    }
    return registration.register(values, school_ids=[each.id for each in schools])


def end_sessions(*which: ColumnElement[bool]) -> None:
    """End these sessions, and nothing that hangs on them."""
    sessions.end(*which, at=clock.now(), heard=false(), tell="none")
