"""Who comes: a school, parents with a child each, applications, and a secretary at the desk."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from idp.people import accounts, staff
from idp.people.models import School
from idp.sessions import service as sessions
from idp.sessions.assurance import TWO_FACTOR
from tests import factories
from tests.faults.changes import Changes, Movers
from tests.faults.door import NAME
from tests.faults.visits import CALLBACK
from tests.security.outages import databases_app

PARENTS = 60
MOVERS = 6
"""Of each kind of change."""


@dataclass(frozen=True)
class Household:
    """What the visitors know."""

    application: tuple[str, str]
    """The school's own: its id, and its secret."""
    parents: list[str]
    """By their user names; they have one password."""
    movers: Movers
    """Parents, too: they change something each time."""
    school_id: str
    secretary: str
    """The secret of her session."""
    changes: Changes = field(default_factory=Changes)

    @property
    def passwords(self) -> Iterator[tuple[str, str]]:
        """Each parent, and the password that works."""
        for name in (*self.parents, *self.movers.ids):
            yield name, self.changes.passwords_of(name)[-1]


def move_in(url: str, keys_folder: Path) -> Household:
    """Put them into a migrated database."""
    with databases_app(url, keys_folder, issuer=f"https://{NAME}"):
        school = factories.school()
        parents = [f"parent{number}" for number in range(PARENTS)]
        for name in parents:
            _family(school, name)
        application = _application(school, first_party=True)
        secretary = factories.account("secretary", family_name="Peeters")
        staff.grant(accounts.get_account(secretary.id).id, "manager", school.id)
        return Household(application, parents, _movers(school), school.id, let_in("secretary"))


def let_in(username: str) -> str:
    """The secret of a session that begins now; in an application's context."""
    account = accounts.find_by_identifier(username)
    assert account is not None
    _, secret = sessions.begin(account.id, amr=("pwd", "otp", "mfa"), acr=TWO_FACTOR)
    return secret


def _movers(school: School) -> Movers:
    numbers = range(MOVERS)
    whose = [tuple(f"{what}{n}" for n in numbers) for what in ("careful", "willing", "moved")]
    ids = {name: _family(school, name) for names in whose for name in names}
    return Movers(*whose, ids, _application(school, first_party=False))


def _family(school: School, name: str) -> str:
    parent, _ = factories.family(school, "Lina", username=name, email=f"{name}@families.example")
    return parent.id


def _application(school: School, **metadata: Any) -> tuple[str, str]:
    made = factories.client_app(school, redirect_uris=[CALLBACK], require_pkce=True, **metadata)
    assert made.secret is not None
    return made.client.id, made.secret
