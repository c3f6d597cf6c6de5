"""Who comes: a school, parents with a child each, an application, and a secretary at the desk."""

from dataclasses import dataclass
from pathlib import Path

from idp.people import accounts, staff
from idp.sessions import service as sessions
from idp.sessions.assurance import TWO_FACTOR
from tests import factories
from tests.faults.door import NAME
from tests.security.outages import databases_app

PARENTS = 60
SCOPE = "openid child offline_access"
CALLBACK = "https://portal.example/callback"


@dataclass(frozen=True)
class Household:
    """What the visitors know."""

    client_id: str
    client_secret: str
    parents: list[str]
    """By their user names; they have one password."""
    school_id: str
    secretary: str
    """The secret of her session."""


def move_in(url: str, keys_folder: Path) -> Household:
    """Put them into a migrated database."""
    with databases_app(url, keys_folder, issuer=f"https://{NAME}"):
        school = factories.school()
        parents = [f"parent{number}" for number in range(PARENTS)]
        for name in parents:
            factories.family(school, "Lina", username=name, email=f"{name}@families.example")
        registered = factories.client_app(school, redirect_uris=[CALLBACK], require_pkce=True)
        secretary = factories.account("secretary", family_name="Peeters")
        staff.grant(accounts.get_account(secretary.id).id, "manager", school.id)
        _, secret = sessions.begin(secretary.id, amr=("pwd", "otp", "mfa"), acr=TWO_FACTOR)
        assert registered.secret is not None
        return Household(registered.client.id, registered.secret, parents, school.id, secret)
