"""What the decision of the authorization endpoint depends on, read before it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from idp import clock
from idp.clients.metadata import has_made_up_email
from idp.clients.models import ClientRow
from idp.credentials import factors
from idp.oidc import acr, child_selection, consent, subjects
from idp.oidc.authorization_request import AuthorizationRequest
from idp.oidc.child_selection import Candidate
from idp.sessions import interactions
from idp.sessions.models import Interaction
from idp.sessions.service import SignedIn


@dataclass(frozen=True)
class Facts:
    """All that the decision depends on, read before it."""

    now: datetime
    signed_in: SignedIn | None = None
    subject: str | None = None
    """The ``sub`` of the signed-in guardian for this client."""
    signed_in_here: bool = False
    """The guardian signed in for this very request."""
    awaits_another: bool = False
    """Whoever is signed in said that somebody else goes on with this very request."""
    reachable_acrs: Sequence[str] = ()
    """What the guardian's factors could reach; read only where a request asks for a class."""
    goes_without: bool = False
    """The guardian declined to do more than was done for this very request."""
    children: Sequence[Candidate] = ()
    chosen_child_id: str | None = None
    remembered_by: str | None = None
    """The application on whose page a remembered choice must have been made; None: any."""
    consented: consent.Allowed | None = None
    """What the guardian allows; read only where the request asks for it."""
    child_fields: frozenset[str] = frozenset()
    """The fields that the client is registered for now."""
    consented_here: bool = False
    first_party: bool = False
    made_up_email: bool = False
    """The client gets an address that is made up, and not the guardian's."""


def facts_for(
    request: AuthorizationRequest,
    client: ClientRow,
    signed_in: SignedIn | None,
    interaction: Interaction | None = None,
    children: Sequence[Candidate] | None = None,
) -> Facts:
    """Read what the decision needs: at most two queries, and a few about the guardian's factors
    where the request asks for a class of sign-in.

    ``children``: where they were read a moment ago.
    """
    now = clock.now()
    first_party = bool(client.metadata_["first_party"])
    if signed_in is None:
        return Facts(now=now, first_party=first_party)
    account, session = signed_in.account, signed_in.session
    asks_consent = not first_party or "consent" in request.prompt
    allowed = consent.allowed_now(account.id, client.id) if asks_consent else None
    return Facts(
        now=now,
        signed_in=signed_in,
        subject=subjects.of_guardian(account, client),
        reachable_acrs=acr.reachable(factors.load(account.id))
        if acr.requested_classes(request)[0]
        else (),
        goes_without=interaction is not None and interaction.goes_without,
        signed_in_here=interaction is not None and interaction.signed_in_session_id == session.id,
        awaits_another=interaction is not None and interactions.awaits_another(interaction),
        children=_children(client, signed_in, children) if request.asks_child else (),
        chosen_child_id=interaction.child_id if interaction else None,
        remembered_by=None if first_party else client.id,
        consented=allowed,
        child_fields=frozenset(client.metadata_["child_fields"]),
        # By this guardian, not by who was signed in before in this browser (rule O16).
        consented_here=interaction is not None
        and interaction.consented
        and allowed is not None
        and allowed.granted_at >= interaction.created_at,
        first_party=first_party,
        made_up_email=has_made_up_email(client.metadata_),
    )


def _children(
    client: ClientRow, signed_in: SignedIn, read: Sequence[Candidate] | None
) -> Sequence[Candidate]:
    if read is not None:
        return read
    return child_selection.candidates(signed_in.account.id, client.id, signed_in.session.id)
