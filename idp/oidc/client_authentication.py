"""Client authentication (RFC 6749 §2.3, RFC 7523): the registered method, in constant time."""

import json
from base64 import b64decode
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from typing import Final, cast
from urllib.parse import unquote

from authlib.oauth2.rfc6749 import (
    ClientAuthentication,
    InvalidClientError,
    InvalidRequestError,
)
from joserfc import jws
from joserfc.errors import JoseError

from idp.clients import key_sets
from idp.clients.metadata import AUTH_METHODS
from idp.clients.models import ClientRow
from idp.oidc import client_certificate
from idp.oidc.client_assertion import PrivateKeyJwt, header_of
from idp.oidc.oauth_client import OAuthClient, note_asking, query_client
from idp.oidc.requests import ProtocolRequest
from idp.outgoing.trouble import Trouble

METHODS: Final = list(AUTH_METHODS)
_BY_CERTIFICATE: Final = {
    "tls_client_auth": client_certificate.is_of_authority,
    "self_signed_tls_client_auth": client_certificate.is_registered,
}
UNPROVED: Final = "The client did not authenticate itself"


def authenticate(
    request: ProtocolRequest,
    methods: Sequence[str],
    endpoint: str = "token",
    *,
    read: ClientRow | None = None,
) -> OAuthClient:
    """The client, which proves itself by its registered method. Raises ``InvalidClientError``.

    ``read``: the client of what was presented, which spares a look-up if it is the one that
    proves itself.
    """

    def find(client_id: str) -> OAuthClient | None:
        if read is not None and read.id == client_id and read.disabled_at is None:
            return OAuthClient(read)
        return query_client(client_id)

    authentication = ClientAuthentication(find)
    authentication.register(PrivateKeyJwt.CLIENT_AUTH_METHOD, PrivateKeyJwt(request))
    for method in _BY_CERTIFICATE:
        authentication.register(method, partial(_of_certificate, method))
    try:
        proved = cast(OAuthClient, authentication(request, methods, endpoint))
    except InvalidClientError as error:
        raise _explained(request, error, find) from error
    note_asking(proved)
    return proved


def offered_methods() -> list[str]:
    """The methods that can work here: by certificate only where certificates are asked for."""
    by_certificate = client_certificate.is_asked_for()
    return [each for each in METHODS if by_certificate or each not in _BY_CERTIFICATE]


def _of_certificate(
    method: str, find: Callable[[str], OAuthClient | None], request: ProtocolRequest
) -> OAuthClient | None:
    """RFC 8705 §2: the client that ``client_id`` names, if the certificate is its own."""
    named, certificate = request.form.get("client_id"), client_certificate.presented(request)
    client = find(named) if named and certificate is not None else None
    if client is None or certificate is None or not client.check_endpoint_auth_method(method, ""):
        return None
    return client if _BY_CERTIFICATE[method](certificate, client.record) else None


def check_one_client(request: ProtocolRequest) -> None:
    """Refuse a request that authenticates in two ways at once (RFC 6749 §2.3), or that names two
    clients: a ``client_id`` beside an authentication MUST be the same one (RFC 7521 §4.2).
    """
    header = request.headers.get("Authorization", "")
    ways = [
        bool(header),
        "client_secret" in request.form,
        "client_assertion" in request.form or "client_assertion_type" in request.form,
    ]
    if sum(ways) > 1:
        raise InvalidRequestError("More than one way of client authentication")
    if header and not _is_readable_basic(header):
        raise InvalidClientError("The Authorization header is malformed", status_code=401)
    named = request.form.get("client_id")
    for other in (_id_in_basic(header), _id_in_assertion(request.form.get("client_assertion"))):
        if named and other is not None and other != named:
            raise InvalidClientError(
                "The client_id is not the client that authenticates itself",
                status_code=401 if header else 400,
            )


def read_keys(request: ProtocolRequest) -> None:
    """Have the keys ready with which this request proves itself, before a transaction is open:
    nobody's server is asked within one. What is wrong is told when it proves itself.
    """
    if client_certificate.presented(request) is not None:
        by_certificate = query_client(request.form.get("client_id", ""))
        with suppress(Trouble):
            _ = by_certificate and key_sets.client_keys(by_certificate.record)
    assertion = request.form.get("client_assertion")
    client = query_client(_id_in_assertion(assertion) or "")
    if assertion is None or client is None or "jwks_uri" not in client.client_metadata:
        return
    with suppress(InvalidClientError, Trouble):
        header = header_of(assertion)
        next(key_sets.verifying(client.record, str(header.get("alg")), header.get("kid")), None)


def presented_client(request: ProtocolRequest) -> tuple[str | None, str]:
    """The client that a request names, and the method by which it authenticates itself."""
    header, form = request.headers.get("Authorization", ""), request.form
    if header:
        return _id_in_basic(header), "client_secret_basic"
    if "client_assertion" in form:
        return _id_in_assertion(form["client_assertion"]), "private_key_jwt"
    method = "client_secret_post" if "client_secret" in form else "none"
    return form.get("client_id"), method


class NotAuthenticated(InvalidClientError):  # type: ignore[misc]
    """A client that did not prove itself.

    ``reason`` is for the log and the desk. Who asks is told no more than that, unless the proof
    itself was right: how a client is registered is nobody else's business.
    """

    def __init__(self, reason: str, *, proved: bool, status_code: int) -> None:
        super().__init__(reason if proved else UNPROVED, status_code=status_code)
        self.reason = reason


def _explained(
    request: ProtocolRequest,
    error: InvalidClientError,
    find: Callable[[str], OAuthClient | None],
) -> InvalidClientError:
    """The same refusal with its reason. Whether a secret is nearly right, nobody learns."""
    named, used = presented_client(request)
    if named is None:
        return InvalidClientError("The request names no client", status_code=error.status_code)
    client, proved = find(named), False
    if client is None:
        reason = "No application in use has this client_id"
    elif (registered := client.client_metadata["token_endpoint_auth_method"]) != used:
        reason = f"The application is registered for {registered}, and the request used {used}"
        secret = _presented_secret(request)
        proved = secret is not None and client.check_client_secret(secret)
    elif used.startswith("client_secret"):
        reason = "The client secret is wrong"
    else:
        return error
    return NotAuthenticated(reason, proved=proved, status_code=error.status_code)


def _presented_secret(request: ProtocolRequest) -> str | None:
    _name, secret = _basic_credentials(request.headers.get("Authorization", ""))
    return secret or request.form.get("client_secret")


def _is_readable_basic(header: str) -> bool:
    return _id_in_basic(header) is not None


def _id_in_basic(header: str) -> str | None:
    """The client that a Basic header names; None where it can't be read."""
    return _basic_credentials(header)[0]


def _basic_credentials(header: str) -> tuple[str | None, str | None]:
    """Client id and secret of a Basic header (RFC 6749 §2.3.1); None where it can't be read."""
    scheme, _, value = header.partition(" ")
    if scheme.lower() != "basic":
        return None, None
    try:
        name, colon, secret = b64decode(value, validate=True).decode("utf-8").partition(":")
    except ValueError:
        return None, None
    return (unquote(name), unquote(secret)) if colon else (None, None)


def _id_in_assertion(assertion: str | None) -> str | None:
    """The client that an assertion names, not verified yet; None where it names none."""
    if assertion is None:
        return None
    try:
        claims = json.loads(jws.extract_compact(assertion.encode()).payload)
    except (JoseError, ValueError, RecursionError):
        return None
    subject = claims.get("sub") if isinstance(claims, dict) else None
    return subject if isinstance(subject, str) and subject.isascii() else None
