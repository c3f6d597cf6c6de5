"""An authorization request (OpenID Connect Core §3.1.2.1), read, checked, and kept as JSON."""

import re
from dataclasses import asdict, dataclass, fields
from typing import Any, Final, Self

from authlib.oauth2.rfc6749 import InvalidRequestError, InvalidScopeError
from authlib.oauth2.rfc6749.errors import UnsupportedResponseTypeError
from werkzeug.datastructures import MultiDict

from idp.clients.metadata import SCOPES, normal_response_type
from idp.oidc import claims_parameter, dpop, resources, response_types
from idp.oidc.oauth_client import OAuthClient

PROMPTS: Final = frozenset({"none", "login", "consent", "select_account"})
LONGEST_STATE: Final = 4000
LONGEST_NONCE: Final = 1000
MOST_ACR_VALUES: Final = 10
LONGEST_ACR_VALUES: Final = 1000
_CHALLENGE = re.compile(r"[A-Za-z0-9_-]{43}")  # S256 of RFC 7636 §4.2: base64url of 32 bytes


@dataclass(frozen=True, kw_only=True)
class AuthorizationRequest:
    """What an application asks for. ``scope`` is already cut down to its registration."""

    client_id: str
    redirect_uri: str
    scope: str
    response_type: str = "code"
    response_mode: str = "query"
    state: str | None = None
    nonce: str | None = None
    prompt: tuple[str, ...] = ()
    max_age: int | None = None
    code_challenge: str | None = None
    claims: dict[str, Any] | None = None
    acr_values: str | None = None
    login_hint: str | None = None
    child_hint: str | None = None
    ui_locales: str | None = None
    dpop_jkt: str | None = None
    """The thumbprint of the key whose proof redeems the code (RFC 9449 §10)."""
    resource: str | None = None
    """The resource servers that the tokens may be for, separated by spaces."""
    device: str | None = None
    """The device code that is answered in place of a redirect URI (``device_codes``)."""
    user_code: str | None = None
    """What the guardian typed, as long as they have not confirmed that it is about their screen."""
    hinted_subject: str | None = None
    """The ``sub`` of a valid ``id_token_hint``; empty for a hint that is not ours."""
    pushed: str | None = None
    """The key of the row, where it was pushed (RFC 9126): it is answered once."""
    popup: bool | None = None
    """The application may open us in a window of its own (``allow_popups``)."""
    omit_iss: bool | None = None
    """Its software takes ``iss`` in an answer for something else (``omit_iss``)."""
    signed: bool | None = None
    """Whether it came in a signed request object; None: a release kept it that did not say."""

    @property
    def scopes(self) -> list[str]:
        return self.scope.split()

    @property
    def permissions(self) -> list[str]:
        """The scopes that consent is about, those of claims asked by name too (Core §5.5)."""
        by_name = {
            claims_parameter.SCOPE_OF_CLAIM.get(name)
            for place in ("id_token", "userinfo")
            for name in claims_parameter.requested_claims(self.claims, place)
        }
        return [scope for scope in SCOPES if scope in self.scopes or scope in by_name]

    @property
    def gives_code(self) -> bool:
        return "code" in self.response_type.split()

    @property
    def gives_id_token(self) -> bool:
        """Whether the answer itself holds an ID token, on the browser's way."""
        return "id_token" in self.response_type.split()

    @property
    def asks_child(self) -> bool:
        return "child" in self.scopes or any(
            "child" in claims_parameter.requested_claims(self.claims, place)
            for place in ("id_token", "userinfo")
        )

    def as_json(self) -> dict[str, Any]:
        """The form in which an interaction keeps it: a plain request as the former release, whose
        workers may serve beside ours, reads it.
        """
        kept = {name: value for name, value in asdict(self).items() if value is not None}
        if self.response_type == "code":
            kept.pop("response_type")
        return kept

    def answering(self) -> dict[str, str]:
        """The parameters that say how the application wants its answer."""
        prompt = "none" if "none" in self.prompt else ""
        named = {
            "client_id": self.client_id,
            "redirect_uri": self.redirect_uri,
            "response_type": self.response_type,
            "response_mode": self.response_mode,
            "state": self.state,
            "prompt": prompt,
        }
        return {name: value for name, value in named.items() if value}

    @classmethod
    def from_json(cls, document: dict[str, Any]) -> Self:
        """The inverse of ``as_json``."""
        known = {each.name for each in fields(cls)}  # a newer worker may have added some
        kept = {name: value for name, value in document.items() if name in known}
        return cls(**{**kept, "prompt": tuple(document.get("prompt", ()))})


def check_response_type(parameters: MultiDict[str, str]) -> None:
    """Refuse what no application can be registered for: asked before Authlib asks, whose own error
    fails on characters outside of ASCII.
    """
    if not parameters.get("response_type"):
        raise InvalidRequestError("The response_type is missing")
    if normal_response_type(parameters["response_type"]) not in response_types.supported():
        raise UnsupportedResponseTypeError(parameters["response_type"])


def check(parameters: MultiDict[str, str], client: OAuthClient) -> None:
    """Each rule of a request whose client and redirect URI are already trusted.

    Raises the ``OAuth2Error`` that goes back to the client.
    """
    response_types.check_mode(parameters)
    check_asked(parameters, client)
    if "id_token" in response_types.type_of(parameters) and not parameters.get("nonce"):
        raise InvalidRequestError("The nonce is missing")  # Core §3.2.2.1, §3.3.2.11
    if response_types.type_of(parameters) != "id_token":
        _check_pkce(parameters, client)
    if (thumbprint := parameters.get("dpop_jkt")) and not dpop.is_thumbprint(thumbprint):
        raise InvalidRequestError("The dpop_jkt is no thumbprint of a key")


def check_asked(parameters: MultiDict[str, str], client: OAuthClient) -> None:
    """The rules of what is asked for, whichever way the answer goes."""
    if "openid" not in client.get_allowed_scope(parameters.get("scope")).split():
        raise InvalidScopeError("The scope must hold openid")
    _check_lengths(parameters)
    _check_prompt(parameters.get("prompt"))
    _check_max_age(parameters.get("max_age"))
    resources.of_request(parameters, client)


def parse(
    parameters: MultiDict[str, str],
    client: OAuthClient,
    *,
    hinted_subject: str | None,
    signed: bool = False,
) -> AuthorizationRequest:
    """The request, once ``check`` has passed. ``signed``: it came in a signed request object."""
    registered = client.client_metadata["scope"].split()
    default_max_age = client.client_metadata.get("default_max_age")
    max_age = parameters.get("max_age")
    return AuthorizationRequest(
        client_id=client.get_client_id(),
        redirect_uri=parameters.get("redirect_uri", ""),
        scope=client.get_allowed_scope(parameters.get("scope")),
        response_type=response_types.type_of(parameters),
        response_mode=response_types.mode_of(parameters),
        state=parameters.get("state") or None,
        nonce=parameters.get("nonce") or None,
        prompt=tuple(word for word in parameters.get("prompt", "").split() if word in PROMPTS),
        max_age=int(max_age) if max_age else default_max_age,
        code_challenge=parameters.get("code_challenge") or None,
        dpop_jkt=parameters.get("dpop_jkt") or None,
        claims=claims_parameter.parse(parameters.get("claims"), registered),
        acr_values=_acr_values(parameters, client),
        login_hint=(parameters.get("login_hint") or "")[:254] or None,
        child_hint=(parameters.get("child_hint") or "")[:64] or None,
        ui_locales=(parameters.get("ui_locales") or "")[:100] or None,
        resource=resources.of_request(parameters, client),
        hinted_subject=hinted_subject,
        popup=client.client_metadata.get("allow_popups") or None,
        omit_iss=client.client_metadata.get("omit_iss") or None,
        signed=signed,
    )


def _acr_values(parameters: MultiDict[str, str], client: OAuthClient) -> str | None:
    """What is asked, else the registration's ``default_acr_values`` (Registration 1.0 §2)."""
    default = client.client_metadata.get("default_acr_values", [])
    values = parameters.get("acr_values") or " ".join(default)
    return " ".join(values.split()[:MOST_ACR_VALUES])[:LONGEST_ACR_VALUES] or None


def _check_lengths(parameters: MultiDict[str, str]) -> None:
    for name, longest in (("state", LONGEST_STATE), ("nonce", LONGEST_NONCE)):
        if len(parameters.get(name, "")) > longest:
            raise InvalidRequestError(f"The {name} is too long")


def _check_prompt(prompt: str | None) -> None:
    # Core §3.1.2.1: none stands alone; a value that we don't know is left out, so that
    # applications can ask for what later extensions bring (prompt=create).
    words = (prompt or "").split()
    if "none" in words and len(words) > 1:
        raise InvalidRequestError("The prompt none stands alone")


def _check_max_age(max_age: str | None) -> None:
    if max_age and not (max_age.isascii() and max_age.isdigit() and len(max_age) < 16):
        raise InvalidRequestError("The max_age is not a number of seconds")


def check_challenge(challenge: str | None, client: OAuthClient) -> None:
    """Refuse a request without a ``code_challenge`` where the registration demands one."""
    if not challenge and client.client_metadata["require_pkce"]:
        raise InvalidRequestError("A code_challenge is required (PKCE, S256)")


def _check_pkce(parameters: MultiDict[str, str], client: OAuthClient) -> None:
    challenge = parameters.get("code_challenge")
    method = parameters.get("code_challenge_method")
    if not challenge and method:
        raise InvalidRequestError("The code_challenge is missing")
    check_challenge(challenge, client)
    if not challenge:
        return
    # RFC 9700 §2.1.1; a missing method means plain (RFC 7636 §4.3), which we don't offer.
    if method != "S256":
        raise InvalidRequestError("The code_challenge_method must be S256")
    if not _CHALLENGE.fullmatch(challenge):
        raise InvalidRequestError("The code_challenge is malformed")
