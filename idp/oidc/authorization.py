"""The decision of the authorization endpoint: what is still missing before the answer?

``next_step`` is a pure function of facts that ``facts_for`` has read. The pages only render
what it returns; ``authorization_codes.issue`` turns *Proceed* into a code.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from authlib.oauth2 import OAuth2Error

from idp import clock
from idp.clients.metadata import has_made_up_email
from idp.clients.models import ClientRow
from idp.credentials import factors
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


@dataclass(frozen=True)
class ConfirmDevice:
    """The guardian has to say that the code is the one on the screen before them."""


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
class ChooseAccount:
    """The application asks who it is (``prompt=select_account``), and about no child."""


@dataclass(frozen=True)
class NoChild:
    """The guardian has no child at the client's schools: a page that says so."""


@dataclass(frozen=True)
class AskConsent:
    """A third party asks for something that the guardian has not allowed yet."""

    selection: Selection | None
    """The child that it is about, where the request asks for one."""


@dataclass(frozen=True)
class Refuse:
    """The answer is an error of the protocol."""

    error: OAuth2Error


@dataclass(frozen=True)
class Proceed:
    """Nothing is missing."""

    signed_in: SignedIn
    selection: Selection | None


Step = (
    ConfirmDevice
    | Login
    | StepUp
    | ChooseChild
    | ChooseAccount
    | NoChild
    | AskConsent
    | Refuse
    | Proceed
)


def next_step(request: AuthorizationRequest, facts: Facts) -> Step:
    """What comes next, in the order login, child, consent (OpenID Connect Core §3.1.2.3, .4)."""
    step = _missing(request, facts)
    if "none" not in request.prompt:
        return step
    match step:
        case Login() | StepUp():
            return Refuse(LoginRequired())
        case ChooseChild() | ChooseAccount():
            return Refuse(AccountSelectionRequired())
        case AskConsent():
            return Refuse(ConsentRequired())
        case NoChild():
            return Refuse(InteractionRequired())
        case _:
            return step


def may_choose(request: AuthorizationRequest, facts: Facts) -> bool:
    """Whether the page of the children may be shown and answered: from the sign-in until the
    application is answered.

    A child chosen elsewhere meanwhile does not close it: two tabs with two children give each
    application its own (security rule C4).
    """
    return (
        request.asks_child and bool(facts.children) and _missing_of_guardian(request, facts) is None
    )


def may_be_another(request: AuthorizationRequest) -> bool:
    """Whether somebody else may sign in for this request: not where it says who has to."""
    wanted = claims_parameter.required_values(request.claims, "sub", essential=False)
    return request.hinted_subject is None and wanted is None


def may_consent(request: AuthorizationRequest, facts: Facts, child_id: str | None) -> bool:
    """Whether the page of consent that named this child may be answered.

    It asked about exactly that child, whatever was chosen or allowed in another tab since.
    """
    named = child_id in {each.child.id for each in facts.children}
    return (
        _asks_consent(request, facts)
        and named is request.asks_child
        and _missing_of_guardian(request, facts) is None
    )


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
        children=child_selection.candidates(account.id, client.id, session.id)
        if request.asks_child
        else (),
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


def _missing(request: AuthorizationRequest, facts: Facts) -> Step:
    step = _missing_of_guardian(request, facts)
    if step is not None or facts.signed_in is None:
        return step or Login()
    # Core §3.1.2.1, select_account: who has just signed in here has said who it is
    selects = "select_account" in request.prompt
    asks_who = selects and not facts.signed_in_here
    selection = None
    if request.asks_child:
        if not facts.children:
            return NoChild()
        selection = child_selection.decide(
            facts.children,
            chosen_id=facts.chosen_child_id,
            ask_again=selects,
            ask_of_one=asks_who,
            made_for=facts.remembered_by,
        )
        if selection is None:
            return ChooseChild()
    elif asks_who:
        return ChooseAccount()
    if _needs_consent(request, facts, selection):
        return AskConsent(selection)
    return Proceed(facts.signed_in, selection)


def _missing_of_guardian(request: AuthorizationRequest, facts: Facts) -> Step | None:
    """What is missing of who signs in, and how; None if nothing."""
    if request.user_code is not None:
        return ConfirmDevice()  # first of all, so that nobody signs in for a stranger's screen
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
    return None


def _without(request: AuthorizationRequest, facts: Facts) -> bool:
    """A wish is no reason to fail: where no page may be shown, what was done is the answer."""
    return facts.goes_without or "none" in request.prompt


def _must_sign_in_again(request: AuthorizationRequest, facts: Facts) -> bool:
    if facts.signed_in is None or facts.awaits_another:
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


def _asks_consent(request: AuthorizationRequest, facts: Facts) -> bool:
    return not facts.first_party or "consent" in request.prompt


def _needs_consent(
    request: AuthorizationRequest, facts: Facts, selection: Selection | None
) -> bool:
    """Whether something is asked that is not allowed yet, about exactly this child (rule N3)."""
    if not _asks_consent(request, facts):
        return False
    allowed = facts.consented
    scopes = consent.about(request.permissions, made_up_email=facts.made_up_email)
    if allowed is None or not allowed.scopes.issuperset(scopes):
        return True
    if selection is not None:
        fields = allowed.children.get(selection.child.id)
        if fields is None or not facts.child_fields <= fields:
            return True
    return "consent" in request.prompt and not facts.consented_here
