"""Trying an application from the desk: its request, what it would be told, what often goes wrong.

Nothing is given to the application, nothing is stored, and nobody is spoken of but who asks.
"""

from dataclasses import dataclass
from urllib.parse import urlencode

from idp.desk.access.rights import Staff
from idp.desk.applications.service import Application, editable
from idp.oidc import child_selection, diagnosis, discovery
from idp.oidc import sample_token as specimen
from idp.oidc.diagnosis import Diagnosis
from idp.oidc.sample_token import Specimen
from idp.people import accounts
from idp.people.models import AccountRow, ChildRow


@dataclass(frozen=True)
class Trial:
    """One run. ``own``: it speaks of who asked and their child, else of people made up."""

    endpoint: str
    parameters: dict[str, str]
    specimen: Specimen
    own: bool

    @property
    def address(self) -> str:
        """The whole authorization request, as a browser would open it."""
        return f"{self.endpoint}?{urlencode(self.parameters)}"


def run(staff: Staff, client_id: str) -> Trial:
    """The request that the application would send, checked as a real one, and its answer.

    Raises ``NotFound``.
    """
    application = editable(staff, client_id)
    client = application.client
    parameters = specimen.request_of(client)
    asked = specimen.asked(client, parameters)
    own = _own(staff, application)
    account, child, relationship = own or _made_up(application)
    named = child if asked.asks_child else None
    live = specimen.grant(client, asked.scope, account, named, relationship)
    endpoint = discovery.metadata()["authorization_endpoint"]
    return Trial(endpoint, parameters, specimen.made(live, asked.nonce), own is not None)


def diagnose(staff: Staff, client_id: str, address: str) -> Diagnosis:
    """What is wrong with an address that failed. Raises ``NotFound``."""
    return diagnosis.of(editable(staff, client_id).client, address[: diagnosis.LONGEST].strip())


_Family = tuple[AccountRow, ChildRow, str]


def _own(staff: Staff, application: Application) -> _Family | None:
    """Who asks, where they are themselves guardian of a pupil whom the application may see."""
    if not staff.account_id:
        return None
    served = {school.id for school in application.schools}
    found = child_selection.candidates(staff.account_id, application.client.id, specimen.NOBODY)
    mine = [each for each in found if each.child.school_id in served]
    if not mine:
        return None
    account = accounts.get_account(staff.account_id)
    return account, mine[0].child, mine[0].relationship


def _made_up(application: Application) -> _Family:
    return specimen.guardian(), specimen.pupil(application.schools[0]), "parent"
