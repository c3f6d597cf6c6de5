"""The applications at the desk: who may see which, what staff do to them, and whether they
work: what one would be told, and why a request of it fails.

Managers see those that serve a school of theirs, and of such an application only their own
schools and guardians; its addresses, keys and secrets are the platform's, since they may name
other schools (security rules A2 and C3).
"""

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final
from urllib.parse import urlencode

from sqlalchemy import ColumnElement, false, func, select, true

from idp.clients import registration
from idp.clients.models import Client, ClientSchool
from idp.clients.registration import Registered
from idp.database import db, retried
from idp.desk.access import scope
from idp.desk.access.acts import On, act_for_platform, act_on
from idp.desk.access.rights import Right, SchoolScope, Staff
from idp.errors import NotFound
from idp.lifecycle import clients, endings
from idp.lifecycle.endings import Cause, These
from idp.oidc import child_selection, diagnosis, discovery, sample_token
from idp.oidc.diagnosis import Diagnosis
from idp.oidc.sample_token import SampleToken
from idp.people import accounts
from idp.people.models import AccountRow, ChildRow, School

PAGE: Final = 50
"""How many applications one page of the list holds."""


@dataclass(frozen=True)
class Application:
    """An application as one member of staff may see it."""

    client: Client
    schools: Sequence[School]
    """Those within the scope, by name."""

    @property
    def disabled(self) -> bool:
        """Whether it was taken out of use."""
        return self.client.disabled_at is not None

    @property
    def has_secret(self) -> bool:
        """Whether it proves itself by a secret."""
        return self.client.secret_hash is not None

    @property
    def overlaps(self) -> bool:
        """Whether the secret from before still works."""
        return registration.overlaps(self.client)


@dataclass(frozen=True)
class Listed:
    """One page of the list, and whether another one follows."""

    applications: Sequence[Application]
    more: bool


def listed(staff: Staff, page: int = 1) -> Listed:
    """The applications within the scope, by name; ``page`` counts from 1. Two queries."""
    school_scope = staff.school_scope(Right.SEE_CLIENTS)
    clients = list(
        db.session.scalars(
            select(Client)
            .where(_in_scope(school_scope))
            .order_by(func.lower(Client.name), Client.id)
            .offset((page - 1) * PAGE)
            .limit(PAGE + 1)
        )
    )
    schools = _schools(school_scope, [client.id for client in clients])
    shown = [Application(client, schools.get(client.id, [])) for client in clients]
    return Listed(shown[:PAGE], len(shown) > PAGE)


def get_application(staff: Staff, client_id: str, right: Right = Right.SEE_CLIENTS) -> Application:
    """The application of this id. Raises ``NotFound`` where it is outside the scope too."""
    school_scope = staff.school_scope(right)
    query = select(Client).where(Client.id == client_id, _in_scope(school_scope))
    client = scope.one(query, "client", client_id)
    return Application(client, _schools(school_scope, [client_id]).get(client_id, []))


def editable(staff: Staff, client_id: str) -> Application:
    """The application, for who may change it: whatever is done to it is done to all its schools.

    Raises ``NotFound``.
    """
    if not staff.school_scope(Right.EDIT_CLIENTS).everywhere:
        raise NotFound("client", client_id)
    return get_application(staff, client_id, Right.EDIT_CLIENTS)


@retried
def register(
    staff: Staff,
    metadata: Mapping[str, Any],
    *,
    school_ids: Sequence[str],
    client_id: str | None = None,
) -> Registered:
    """Register an application. ``client_id``: as the form was given it, so that a form which is
    sent twice registers once.

    Raises ``Invalid``, ``Conflict`` where this id is registered already, and
    ``NotFound`` for who may not.
    """
    _check_ahead(staff, metadata, school_ids)
    with act_for_platform(staff, Right.EDIT_CLIENTS):
        return registration.register(metadata, school_ids=school_ids, client_id=client_id)


@retried
def change(
    staff: Staff,
    client_id: str,
    metadata: Mapping[str, Any],
    *,
    school_ids: Sequence[str] | None = None,
    version: int | None = None,
) -> Registered:
    """Replace its registration; see ``lifecycle.clients.change``."""
    before = registration.get_client(client_id).metadata_
    _check_ahead(staff, metadata, school_ids or ["as before"], before)
    with _act(staff, client_id):
        return clients.change(client_id, metadata, school_ids=school_ids, version=version)


@retried
def rotate_secret(
    staff: Staff, client_id: str, *, overlap: timedelta, version: int | None = None
) -> Registered:
    """Give it a new secret; see ``registration.rotate_secret``."""
    with _act(staff, client_id):
        return registration.rotate_secret(client_id, overlap=overlap, version=version)


@retried
def end_former_secret(staff: Staff, client_id: str) -> bool:
    """End the overlap of its secrets now; False where there was none."""
    with _act(staff, client_id):
        return registration.end_former_secret(client_id)


@retried
def disable(staff: Staff, client_id: str) -> bool:
    """Take it out of use; what it was given ends. False where it was disabled before."""
    with _act(staff, client_id):
        return clients.disable(client_id)


@retried
def enable(staff: Staff, client_id: str) -> bool:
    """Let it work again; nothing that it was given before comes back (security rule R13)."""
    with _act(staff, client_id):
        # Clients that were disabled before their grants ended with them have some left.
        enabled = registration.enable(client_id)
        if enabled:
            endings.end(Cause.CLIENT_DISABLED, These(clients=[client_id]))
    return enabled


def _check_ahead(
    staff: Staff,
    metadata: Mapping[str, Any],
    school_ids: Sequence[str],
    before: Mapping[str, Any] | None = None,
) -> None:
    """What is checked beside an act: other servers are not asked within one."""
    if staff.school_scope(Right.EDIT_CLIENTS).everywhere:
        clients.check_keys(metadata)
        registration.check_elsewhere(metadata, school_ids, before)


def _act(staff: Staff, client_id: str) -> AbstractContextManager[On[Client]]:
    """An act on a client, which is locked: whatever is done to it is done to all its schools."""

    def find(school_scope: SchoolScope) -> Client:
        everywhere = true() if school_scope.everywhere else false()
        query = select(Client).where(Client.id == client_id, everywhere)
        return scope.one(query.with_for_update(key_share=True), "client", client_id)

    return act_on(staff, Right.EDIT_CLIENTS, find)


def serves(school_scope: SchoolScope) -> ColumnElement[bool]:
    """What ties an application to a school of the scope; a condition on ``ClientSchool``."""
    return scope.at(school_scope, ClientSchool.school_id)


def _in_scope(school_scope: SchoolScope) -> ColumnElement[bool]:
    if school_scope.everywhere:
        return true()
    return Client.id.in_(select(ClientSchool.client_id).where(serves(school_scope)))


def _schools(school_scope: SchoolScope, client_ids: Sequence[str]) -> dict[str, list[School]]:
    """The schools within the scope, by client, each by name; one query."""
    rows = db.session.execute(
        select(ClientSchool.client_id, School)
        .join(School, School.id == ClientSchool.school_id)
        .where(ClientSchool.client_id.in_(client_ids), scope.schools(school_scope))
        .order_by(School.name, School.id)
    )
    schools_by_client: dict[str, list[School]] = {}
    for client_id, school in rows:
        schools_by_client.setdefault(client_id, []).append(school)
    return schools_by_client


@dataclass(frozen=True)
class Trial:
    """One run. ``own``: it speaks of who asked and their child, else of people made up."""

    endpoint: str
    parameters: dict[str, str]
    sample_token: SampleToken
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
    parameters = sample_token.sample_parameters(client)
    request = sample_token.parse_sample(client, parameters)
    own = _own(staff, application)
    account, child, relationship = own or _made_up(application)
    named = child if request.asks_child else None
    live = sample_token.sample_grant(client, request.scope, account, named, relationship)
    name = "authorization_endpoint"
    if "redirect_uri" not in parameters:
        name = "device_authorization_endpoint"
    endpoint = discovery.metadata()[name]
    return Trial(
        endpoint, parameters, sample_token.make_sample(live, request.nonce), own is not None
    )


def diagnose(staff: Staff, client_id: str, address: str) -> Diagnosis:
    """What is wrong with an address that failed. Raises ``NotFound``."""
    return diagnosis.diagnose(
        editable(staff, client_id).client, address[: diagnosis.LONGEST].strip()
    )


_Family = tuple[AccountRow, ChildRow, str]


def _own(staff: Staff, application: Application) -> _Family | None:
    """Who asks, where they are themselves guardian of a pupil whom the application may see."""
    if not staff.account_id:
        return None
    served = {school.id for school in application.schools}
    candidates = child_selection.candidates(
        staff.account_id, application.client.id, sample_token.NOBODY
    )
    mine = [each for each in candidates if each.child.school_id in served]
    if not mine:
        return None
    account = accounts.get_account(staff.account_id)
    return account, mine[0].child, mine[0].relationship


def _made_up(application: Application) -> _Family:
    return (
        sample_token.sample_guardian(),
        sample_token.sample_pupil(application.schools[0]),
        "parent",
    )
