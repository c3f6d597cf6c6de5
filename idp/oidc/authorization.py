"""The decision of the authorization endpoint: what is still missing before the answer?

``next_step`` is a pure function of facts that ``facts_for`` has read. The pages only render
what it returns; ``issue`` turns *Proceed* into a code.
"""

import secrets
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final

from authlib.oauth2 import OAuth2Error

from idp import clock, settings
from idp.audit import events
from idp.clients.models import ClientRow
from idp.credentials import factors
from idp.database import keyed_hash, opaque_id, transaction
from idp.oidc import acr, child_selection, claims_parameter, consent, subjects
from idp.oidc.authorization_request import AuthorizationRequest
from idp.oidc.child_selection import Candidate, Selection
from idp.oidc.errors import (
    AccountSelectionRequired,
    ConsentRequired,
    InteractionRequired,
    LoginRequired,
    UnmetAuthenticationRequirements,
)
from idp.oidc.models import AuthorizationCode, Grant
from idp.prepared import Together
from idp.sessions.models import Interaction
from idp.sessions.service import SignedIn

_GIVE: Final = Together(
    (
        Grant.__table__,
        ("id", "account_id", "client_id", "session_id", "child_id", "child_selection",
         "child_selected_at", "child_switchable", "scope", "claims", "auth_time",
         "auth_time_proved", "amr", "acr", "created_at"),
    ),
    (
        AuthorizationCode.__table__,
        ("code_hash", "grant_id", "redirect_uri", "nonce", "code_challenge", "expires_at"),
    ),
    events.ROWS,
)  # fmt: skip


@dataclass(frozen=True)
class Facts:
    """All that the decision depends on, read before it."""

    now: datetime
    signed_in: SignedIn | None = None
    subject: str | None = None
    """The ``sub`` of the signed-in guardian for this client."""
    signed_in_here: bool = False
    """The guardian signed in for this very request."""
    reachable_acrs: Sequence[str] = ()
    """What the guardian's factors could reach; read only where a request asks for a class."""
    goes_without: bool = False
    """The guardian declined to do more than was done for this very request."""
    children: Sequence[Candidate] = ()
    chosen_child_id: str | None = None
    consented: frozenset[str] = frozenset()
    """Scopes, and fields of the ``child`` claim, that the guardian allows."""
    child_fields: frozenset[str] = frozenset()
    """The fields that the client is registered for now."""
    consented_here: bool = False
    first_party: bool = False

    def as_when_asked(self) -> "Facts":
        """The facts as they were when a page put its question to the guardian.

        What another tab answered since does not count for the answer to this page: two tabs
        with two children give each application its own (security rule C4).
        """
        asked = [replace(each, chosen_at=None) for each in self.children]
        return replace(self, children=asked, consented=frozenset())


@dataclass(frozen=True)
class Login:
    """The guardian has to sign in (again)."""


@dataclass(frozen=True)
class StepUp:
    """The guardian can prove more, and the client asks for it."""

    wanted: str
    essential: bool


@dataclass(frozen=True)
class ChooseChild:
    """The guardian has several children at the client's schools."""


@dataclass(frozen=True)
class NoChild:
    """The guardian has no child at the client's schools: a page that says so."""


@dataclass(frozen=True)
class AskConsent:
    """A third party asks for something that the guardian has not allowed yet."""


@dataclass(frozen=True)
class Refuse:
    """The answer is an error of the protocol."""

    error: OAuth2Error


@dataclass(frozen=True)
class Proceed:
    """Nothing is missing."""

    signed_in: SignedIn
    selection: Selection | None


Step = Login | StepUp | ChooseChild | NoChild | AskConsent | Refuse | Proceed


def next_step(request: AuthorizationRequest, facts: Facts) -> Step:
    """What comes next, in the order login, child, consent (OpenID Connect Core §3.1.2.3, .4)."""
    step = _missing(request, facts)
    if "none" not in request.prompt:
        return step
    match step:
        case Login() | StepUp():
            return Refuse(LoginRequired())
        case ChooseChild():
            return Refuse(AccountSelectionRequired())
        case AskConsent():
            return Refuse(ConsentRequired())
        case NoChild():
            return Refuse(InteractionRequired())
        case _:
            return step


def facts_for(
    request: AuthorizationRequest,
    client: ClientRow,
    signed_in: SignedIn | None,
    interaction: Interaction | None = None,
) -> Facts:
    """Read what the decision needs: at most two queries, and a few about the guardian's factors
    where the request asks for a class of sign-in.
    """
    now = clock.now()
    first_party = bool(client.metadata_["first_party"])
    if signed_in is None:
        return Facts(now=now, first_party=first_party)
    account, session = signed_in.account, signed_in.session
    asks_consent = not first_party or "consent" in request.prompt
    given = consent.given(account.id, client.id) if asks_consent else None
    return Facts(
        now=now,
        signed_in=signed_in,
        subject=subjects.of_guardian(account, client),
        reachable_acrs=acr.reachable(factors.of(account.id)) if acr.asked(request)[0] else (),
        goes_without=interaction is not None and interaction.goes_without,
        signed_in_here=interaction is not None and interaction.signed_in_session_id == session.id,
        children=child_selection.candidates(account.id, client.id, session.id)
        if request.asks_child
        else (),
        chosen_child_id=interaction.child_id if interaction else None,
        consented=frozenset(f"{given.scope} {given.child_fields}".split() if given else ()),
        child_fields=frozenset(client.metadata_["child_fields"]),
        # By this guardian, not by who was signed in before in this browser (rule O16).
        consented_here=interaction is not None
        and interaction.consented
        and given is not None
        and given.granted_at >= interaction.created_at,
        first_party=first_party,
    )


def issue(
    request: AuthorizationRequest,
    client: ClientRow,
    proceed: Proceed,
    interaction: Interaction | None,
) -> str | None:
    """Make the grant and its code in one transaction; returns the code in clear.

    None where the interaction was answered already (a double click, another tab).
    """
    from idp.sessions import interactions

    account, session = proceed.signed_in.account, proceed.signed_in.session
    code = secrets.token_urlsafe(32)
    now = clock.now()
    grant = _new_grant(request, client, proceed, now)
    rows = {
        "grants": grant,
        "authorization_codes": {
            "code_hash": keyed_hash("code", code),
            "grant_id": grant["id"],
            "redirect_uri": request.redirect_uri,
            "nonce": request.nonce,
            "code_challenge": request.code_challenge,
            "expires_at": now + settings.current().code_lifetime,
        },
        "audit_events": events.row(
            "grant_made",
            account_id=account.id,
            child_id=grant["child_id"],
            client_id=client.id,
            session_id=session.id,
            grant=grant["id"],
        ),
    }
    if interaction is None:
        _GIVE.happened(**rows)
        return code
    with transaction():
        if not interactions.complete(interaction):
            return None
        _GIVE.happened(**rows)
    return code


def _missing(request: AuthorizationRequest, facts: Facts) -> Step:
    if facts.signed_in is None or _must_sign_in_again(request, facts):
        return Login()
    if not _subject_is_right(request, facts):
        return Refuse(LoginRequired()) if facts.signed_in_here else Login()
    have = facts.signed_in.session.acr
    match acr.decide(request, have, facts.reachable_acrs, goes_without=_without(request, facts)):
        case acr.Missing(wanted, essential):
            return StepUp(wanted, essential)
        case acr.Unmet():
            return Refuse(UnmetAuthenticationRequirements())
    selection = None
    if request.asks_child:
        if not facts.children:
            return NoChild()
        selection = child_selection.decide(
            facts.children,
            chosen_id=facts.chosen_child_id,
            ask_again="select_account" in request.prompt,
        )
        if selection is None:
            return ChooseChild()
    if _needs_consent(request, facts):
        return AskConsent()
    return Proceed(facts.signed_in, selection)


def _without(request: AuthorizationRequest, facts: Facts) -> bool:
    """A wish is no reason to fail: where no page may be shown, what was done is the answer."""
    return facts.goes_without or "none" in request.prompt


def _must_sign_in_again(request: AuthorizationRequest, facts: Facts) -> bool:
    if facts.signed_in is None:
        return True
    if facts.signed_in_here:
        return False
    if "login" in request.prompt:
        return True
    if request.max_age is None:
        return False
    if not facts.signed_in.session.auth_time_proved:
        return True  # another provider's word of unknown age (rules F9 and O17)
    # Core §3.1.2.1: max_age=0 is the same as prompt=login.
    age = (facts.now - facts.signed_in.session.auth_time).total_seconds()
    return age > request.max_age or request.max_age == 0


def _subject_is_right(request: AuthorizationRequest, facts: Facts) -> bool:
    """``id_token_hint`` and a ``sub`` asked by value say who signs in (Core §3.1.2.1, §5.5.1)."""
    if request.hinted_subject is not None and request.hinted_subject != facts.subject:
        return False
    wanted = claims_parameter.required_values(request.claims, "sub", essential=False)
    return wanted is None or facts.subject in wanted


def _needs_consent(request: AuthorizationRequest, facts: Facts) -> bool:
    shared = facts.child_fields if request.asks_child else frozenset()
    covered = shared.union(request.permissions) <= facts.consented
    if "consent" in request.prompt:
        return not (facts.consented_here and covered)
    return not facts.first_party and not covered


def _new_grant(
    request: AuthorizationRequest, client: ClientRow, proceed: Proceed, now: datetime
) -> dict[str, Any]:
    """The row of a new grant, by its columns (``idp.oidc.models.Grant``)."""
    session, selection = proceed.signed_in.session, proceed.selection
    return {
        "id": opaque_id("r")(),
        "account_id": proceed.signed_in.account.id,
        "client_id": client.id,
        "session_id": session.id,
        "child_id": selection.child.id if selection else None,
        "child_selection": selection.how if selection else None,
        "child_selected_at": selection.selected_at if selection else None,
        "child_switchable": selection.switchable if selection else False,
        "scope": request.scope,
        "claims": request.claims,
        "auth_time": session.auth_time,
        "auth_time_proved": session.auth_time_proved,
        "amr": session.amr,
        "acr": acr.told(request, session.acr),
        "created_at": now,
    }
