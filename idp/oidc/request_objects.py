"""Request objects (RFC 9101; OpenID Connect Core §6): a request's parameters in a JWT.

The client signs it with one of its registered keys. Unsigned ones (``alg`` none) are read only for
a client that is registered for them by that name.
"""

import json
from typing import Any, Final

from authlib.oauth2.rfc9101.errors import InvalidRequestObjectError
from joserfc import jws
from joserfc.errors import JoseError
from joserfc.jwk import Key

from idp import clock, settings
from idp.clients import key_sets, profiles
from idp.clients.metadata import ASSERTION_ALGORITHMS
from idp.oidc.oauth_client import OAuthClient
from idp.outgoing.trouble import Trouble

LEEWAY: Final = 60  # seconds of clock difference
LONGEST: Final = 3600  # seconds that an object of FAPI 2.0 may be good for
_TYPES: Final = ("jwt", "oauth-authz-req+jwt")
_OF_THE_JWT: Final = frozenset({"iss", "sub", "aud", "exp", "nbf", "iat", "jti"})
"""What speaks of the object itself, and is no parameter (RFC 7519 §4.1)."""
_UNREADABLE: Final = (JoseError, ValueError, TypeError, RecursionError)


def is_registered(client: OAuthClient) -> bool:
    """Whether this client's registration lets it send request objects: by keys to verify them
    with, or by the name of an algorithm.
    """
    named = client.client_metadata.get("request_object_signing_alg")
    return named is not None or key_sets.has_keys(client.record)


def shown(text: str) -> dict[str, str]:
    """What an object says, whoever wrote it: good for the shape of an error, and for no more."""
    try:
        return _parameters(_json_object(jws.extract_compact(text.encode()).payload))
    except _UNREADABLE:
        return {}


def verified(text: str, client: OAuthClient) -> dict[str, str]:
    """The parameters of an object that this client made. Raises ``InvalidRequestObjectError``."""
    try:
        claims = _json_object(_payload(text, client))
        parameters = _parameters(claims)
    except _UNREADABLE:
        raise InvalidRequestObjectError("The request object is malformed") from None
    _check_client(claims, client)
    _check_audience(claims)
    _check_time(claims)
    if profiles.is_fapi2(client.client_metadata):
        _check_span(claims)
    if "request" in claims or "request_uri" in claims:
        raise InvalidRequestObjectError("A request object holds no other one")  # RFC 9101 §4
    return parameters


def is_signed(text: str, client: OAuthClient) -> bool:
    """Whether this client signed it, whatever it says."""
    try:
        _payload(text, client)
    except (InvalidRequestObjectError, *_UNREADABLE):
        return False
    return True


def _payload(text: str, client: OAuthClient) -> bytes:
    token = jws.extract_compact(text.encode())
    header = token.headers()
    alg = _algorithm(header, client)
    if alg == "none":
        if text.rpartition(".")[2]:
            raise InvalidRequestObjectError("An unsigned request object has no signature")
        return token.payload
    try:
        for key in key_sets.verifying(client.record, alg, header.get("kid")):
            if _is_signed_by(text, key, alg):
                return token.payload
    except Trouble as trouble:
        reason = f"The keys at the jwks_uri can't be read: {trouble.reason}"
        raise InvalidRequestObjectError(reason) from None
    raise InvalidRequestObjectError("No registered key has signed the request object")


def _is_signed_by(text: str, key: Key, alg: str) -> bool:
    try:
        jws.deserialize_compact(text.encode(), key, algorithms=[alg])
    except (JoseError, ValueError):
        return False
    return True


def _algorithm(header: dict[str, Any], client: OAuthClient) -> str:
    """The algorithm to check with: one of our list, and the registered one where there is one
    (OpenID Connect Registration §2, RFC 8725 §3.1); none only where it is registered.
    """
    typ = str(header.get("typ", "JWT")).lower().removeprefix("application/")
    if typ not in _TYPES:  # RFC 8725 §3.11: made for something else
        raise InvalidRequestObjectError("The typ is not oauth-authz-req+jwt")
    alg = header.get("alg")
    registered = client.client_metadata.get("request_object_signing_alg")
    fits = alg == registered if registered else alg != "none"
    if not fits or alg not in _accepted(client.client_metadata):
        raise InvalidRequestObjectError("The alg is not one that the application is registered for")
    return str(alg)


def _accepted(metadata: dict[str, Any]) -> tuple[str, ...]:
    if profiles.is_fapi2(metadata):
        return profiles.STRONG_ALGORITHMS
    must_sign = metadata.get("require_signed_request_object", False)
    unsigned = settings.current().unsigned_request_objects and not must_sign
    return (*ASSERTION_ALGORITHMS, "none") if unsigned else ASSERTION_ALGORITHMS


def _check_client(claims: dict[str, Any], client: OAuthClient) -> None:
    own = client.get_client_id()
    # RFC 9101 §5: identical to the one outside; Core §6.1 lets it stand outside alone.
    beside = client.client_metadata.get("parameters_beside_request_object", False)
    if claims.get("client_id", own if beside else None) != own:
        raise InvalidRequestObjectError("The client_id is not the one of the request")
    if claims.get("iss", own) != own:
        raise InvalidRequestObjectError("The iss is not the client_id")
    if claims.get("sub") == own:  # RFC 9101 §10.8: a client assertion
        raise InvalidRequestObjectError("A request object has no client as its sub")


def _check_audience(claims: dict[str, Any]) -> None:
    named = claims.get("aud", settings.current().issuer)
    named = named if isinstance(named, list) else [named]
    if settings.current().issuer not in named:
        raise InvalidRequestObjectError("The aud is not our issuer")


def _check_time(claims: dict[str, Any]) -> None:
    now = clock.timestamp()
    for name in {"exp", "nbf", "iat"} & claims.keys():
        value = claims[name]
        # « not … <= » because NaN, which Python's JSON reads, compares to nothing
        if isinstance(value, bool) or not isinstance(value, int | float) or not value <= 1e12:
            raise InvalidRequestObjectError(f"The {name} is not a time")
    if claims.get("exp", now) <= now - LEEWAY:
        raise InvalidRequestObjectError("The request object has expired")
    if claims.get("nbf", now) > now + LEEWAY:
        raise InvalidRequestObjectError("The request object is not valid yet")


def _check_span(claims: dict[str, Any]) -> None:
    """FAPI 2.0 Message Signing §5.3.1: for us, and for an hour at most."""
    if {"aud", "exp", "nbf"} - claims.keys():
        raise InvalidRequestObjectError("The request object needs aud, exp and nbf")
    if claims["nbf"] < clock.timestamp() - LONGEST or claims["exp"] > claims["nbf"] + LONGEST:
        raise InvalidRequestObjectError("The request object is good for more than an hour")


def _json_object(payload: bytes) -> dict[str, Any]:
    document = json.loads(payload)
    if not isinstance(document, dict):
        raise ValueError("no JSON object")
    return document


def _parameters(claims: dict[str, Any]) -> dict[str, str]:
    """The claims as parameters: objects and numbers as JSON (RFC 9101 §4; Core §6.1)."""
    texts = {
        name: value if isinstance(value, str) else json.dumps(value)
        for name, value in claims.items()
        if name not in _OF_THE_JWT and value is not None
    }
    "".join((*texts, *texts.values())).encode()  # half of a surrogate pair is no text
    return {name: text for name, text in texts.items() if text}
