"""Errors of the protocol, each with its standard code: those that Authlib has no class for, and
those of Authlib's that pages answer (``idp.web`` does not know Authlib).
"""

from enum import StrEnum

from authlib.oauth2 import OAuth2Error
from authlib.oauth2.rfc6749 import AccessDeniedError
from authlib.oauth2.rfc6750 import InvalidTokenError

__all__ = [
    "AccessDeniedError",
    "AccountSelectionRequired",
    "ConsentRequired",
    "Denial",
    "DpopTokenMisused",
    "InteractionRequired",
    "InvalidDpopProof",
    "InvalidRequestUri",
    "InvalidTarget",
    "InvalidTokenError",
    "LoginRequired",
    "OAuth2Error",
    "RequestNotSupported",
    "RequestUriNotSupported",
    "TemporarilyUnavailable",
    "UnmetAuthenticationRequirements",
    "UntrustedRedirect",
    "UseDpopNonce",
]


class Denial(StrEnum):
    """Why ``access_denied``: a promise to applications (docs/integrate.md)."""

    CANCELLED = "The guardian cancelled"
    NO_CONSENT = "The guardian did not consent"
    NO_CHILD = "The guardian has no child at this school"


class LoginRequired(OAuth2Error):  # type: ignore[misc]
    """OpenID Connect Core §3.1.2.6."""

    error = "login_required"
    description = "The guardian has to sign in"


class AccountSelectionRequired(OAuth2Error):  # type: ignore[misc]
    """OpenID Connect Core §3.1.2.6: here, the choice of the child."""

    error = "account_selection_required"
    description = "The guardian has to choose a child"


class ConsentRequired(OAuth2Error):  # type: ignore[misc]
    """OpenID Connect Core §3.1.2.6."""

    error = "consent_required"
    description = "The guardian has to consent"


class InteractionRequired(OAuth2Error):  # type: ignore[misc]
    """OpenID Connect Core §3.1.2.6."""

    error = "interaction_required"
    description = "The guardian has to read a page"


class InvalidTarget(OAuth2Error):  # type: ignore[misc]
    """RFC 8707 §2."""

    error = "invalid_target"
    description = "The resource is not one that the application may ask for"


class RequestNotSupported(OAuth2Error):  # type: ignore[misc]
    """OpenID Connect Core §3.1.2.6."""

    error = "request_not_supported"
    description = "The request parameter is not supported"


class RequestUriNotSupported(OAuth2Error):  # type: ignore[misc]
    """OpenID Connect Core §3.1.2.6."""

    error = "request_uri_not_supported"
    description = "The request_uri parameter is not supported"


class InvalidRequestUri(OAuth2Error):  # type: ignore[misc]
    """RFC 9126 §4: the name of a pushed request that was answered or has expired."""

    error = "invalid_request_uri"
    description = "The request_uri was used before, or has expired"


class TemporarilyUnavailable(OAuth2Error):  # type: ignore[misc]
    """RFC 6749 §4.1.2.1: the same request may succeed a moment later."""

    error = "temporarily_unavailable"
    description = "Ask again"
    status_code = 503


class UnmetAuthenticationRequirements(OAuth2Error):  # type: ignore[misc]
    """OpenID Connect Core Unmet Authentication Requirements 1.0 §2."""

    error = "unmet_authentication_requirements"
    description = "The essential acr can not be met"


class UntrustedRedirect(OAuth2Error):  # type: ignore[misc]
    """The client or its redirect URI can't be trusted: a page, never a redirect.

    ``error`` is invalid_client or invalid_request (RFC 6749 §4.1.2.1).
    """


class InvalidDpopProof(OAuth2Error):  # type: ignore[misc]
    """RFC 9449 §5 and §7.1: 400 at the token endpoint, 401 where a token is used."""

    error = "invalid_dpop_proof"
    description = "The DPoP proof is not valid"


class UseDpopNonce(OAuth2Error):  # type: ignore[misc]
    """RFC 9449 §8, §9: the proof must hold the nonce that comes with the answer."""

    error = "use_dpop_nonce"
    description = "The DPoP proof must hold the nonce that comes with this answer"


class DpopTokenMisused(InvalidTokenError):  # type: ignore[misc]
    """RFC 9449 §7: a token that came by another scheme, or with another key, than its own."""

    def __init__(self, description: str) -> None:
        super().__init__()
        self.description = description
