"""The decision of the authorization endpoint: what is still missing before the answer?

``next_step`` is a pure function of facts that ``authorization_facts`` has read. The pages only
render what it returns; ``authorization_codes.issue`` turns *Proceed* into a code.
"""

from dataclasses import dataclass

from authlib.oauth2 import OAuth2Error

from idp.oidc import acr, child_selection, claims_parameter, consent
from idp.oidc.authorization_facts import Facts
from idp.oidc.authorization_request import AuthorizationRequest
from idp.oidc.child_selection import Selection
from idp.oidc.errors import (
    AccountSelectionRequired,
    ConsentRequired,
    InteractionRequired,
    LoginRequired,
    UnmetAuthenticationRequirements,
)
from idp.sessions import assurance
from idp.sessions.service import SignedIn


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
        case acr.Missing() if have == assurance.LONG_LIVED_COOKIE:
            return Login()  # nobody has proved a first factor, on which a second could stand
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
