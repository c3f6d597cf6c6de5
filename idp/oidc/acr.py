"""Which context class an application asks for, and which one it is told.

``acr_values`` (or a client's ``default_acr_values``) is a wish, in order of preference: the
best that the guardian can reach is tried, and the answer says what was done. An essential
``acr`` claim is a demand: it is met, or the answer is an error (OpenID Connect Core §3.1.2.1,
§5.5.1.1, and Unmet Authentication Requirements 1.0).
"""

from collections.abc import Collection
from dataclasses import dataclass

from idp.credentials.factors import Factors
from idp.oidc import claims_parameter
from idp.oidc.authorization_request import AuthorizationRequest
from idp.sessions.assurance import ACRS, PHISHING_RESISTANT, SINGLE_FACTOR, TWO_FACTOR, meets


@dataclass(frozen=True)
class Met:
    """What was done is enough, or the best that this guardian can do for a wish."""


@dataclass(frozen=True)
class Missing:
    """The guardian can do more than was done. ``wanted``: the class to reach."""

    wanted: str
    essential: bool


@dataclass(frozen=True)
class Unmet:
    """The application demands what this guardian can't do."""


def reachable(having: Factors) -> tuple[str, ...]:
    """The context classes that these factors can reach."""
    best = TWO_FACTOR if having.totp else SINGLE_FACTOR
    best = PHISHING_RESISTANT if having.passkeys else best
    return tuple(each for each in ACRS if meets(best, each))


def requested_classes(request: AuthorizationRequest) -> tuple[list[str], bool]:
    """The classes that would do, the dearest first, and whether one of them must be met."""
    essential = claims_parameter.required_values(request.claims, "acr", essential=True)
    if essential is not None:
        return essential, True
    preferred = claims_parameter.required_values(request.claims, "acr", essential=False)
    return preferred or (request.acr_values or "").split(), False


def decide(
    request: AuthorizationRequest, have: str, reachable: Collection[str], *, goes_without: bool
) -> Met | Missing | Unmet:
    """Whether ``have`` will do; ``reachable``: what this guardian's factors can reach."""
    wanted, essential = requested_classes(request)
    if essential and any(meets(have, each) for each in wanted):
        return Met()
    for each in wanted:
        if meets(have, each):
            return Met()
        if each in reachable and not (goes_without and not essential):
            return Missing(each, essential)
    return Unmet() if essential else Met()


def answered_class(request: AuthorizationRequest, have: str) -> str:
    """The ``acr`` of the ID token: the dearest class asked for that was met, else what was done.

    Core §5.5.1.1: a demand is answered by one of its own values; never by more than was done.
    """
    wanted, _essential = requested_classes(request)
    return next((each for each in wanted if meets(have, each)), have)
