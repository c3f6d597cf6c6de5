"""Client authentication (RFC 6749 §2.3, RFC 7523): the registered method, in constant time."""

import json
from base64 import b64decode
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final, cast
from urllib.parse import unquote

from authlib.oauth2.rfc6749 import (
    ClientAuthentication,
    InvalidClientError,
    InvalidRequestError,
)
from authlib.oauth2.rfc7523 import JWTBearerClientAssertion
from joserfc import jws, jwt
from joserfc.errors import JoseError
from joserfc.jwk import Key, KeySet
from sqlalchemy.dialects import postgresql, sqlite

from idp import clock, settings
from idp.clients.metadata import ASSERTION_ALGORITHMS
from idp.clients.models import ClientRow, UsedAssertion
from idp.database import db, keyed_hash, transaction
from idp.oidc.oauth_client import OAuthClient, query_client
from idp.oidc.requests import ProtocolRequest

METHODS: Final = ["client_secret_basic", "client_secret_post", "private_key_jwt", "none"]
LONGEST_ASSERTION_LIFE: Final = timedelta(minutes=5)
LEEWAY: Final = 60  # seconds of clock difference
_ASSERTION_TYPES: Final = ("JWT", "client-authentication+jwt")
_KEY_TYPES: Final = {"RS256": "RSA", "PS256": "RSA", "ES256": "EC", "EdDSA": "OKP"}


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
    authentication.register(PrivateKeyJwt.CLIENT_AUTH_METHOD, PrivateKeyJwt())
    try:
        return cast(OAuthClient, authentication(request, methods, endpoint))
    except InvalidClientError as error:
        raise _explained(request, error, find) from error


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


def presented_client(request: ProtocolRequest) -> tuple[str | None, str]:
    """The client that a request names, and the method by which it authenticates itself."""
    header, form = request.headers.get("Authorization", ""), request.form
    if header:
        return _id_in_basic(header), "client_secret_basic"
    if "client_assertion" in form:
        return _id_in_assertion(form["client_assertion"]), "private_key_jwt"
    method = "client_secret_post" if "client_secret" in form else "none"
    return form.get("client_id"), method


def _explained(
    request: ProtocolRequest,
    error: InvalidClientError,
    find: Callable[[str], OAuthClient | None],
) -> InvalidClientError:
    """The same refusal with its reason: the request is the developer's own, and a registration's
    method is no secret. Whether a secret is nearly right, nobody learns.
    """
    named, used = presented_client(request)
    client = find(named) if named else None
    if named is None:
        reason = "The request names no client"
    elif client is None:
        reason = "No application in use has this client_id"
    elif (registered := client.client_metadata["token_endpoint_auth_method"]) != used:
        reason = f"The application is registered for {registered}, and the request used {used}"
    elif used.startswith("client_secret"):
        reason = "The client secret is wrong"
    else:
        return error
    return InvalidClientError(reason, status_code=error.status_code)


class PrivateKeyJwt(JWTBearerClientAssertion):  # type: ignore[misc]
    """``private_key_jwt`` with every rule of security rule O11."""

    CLIENT_AUTH_METHOD = "private_key_jwt"

    def __init__(self) -> None:
        super().__init__(validate_jti=True, leeway=LEEWAY)

    def get_audiences(self) -> list[str]:
        # The issuer alone: an assertion for another server's token endpoint, or one that a
        # malicious server asked for, is worth nothing here (RFC 7523bis).
        return [settings.current().issuer]

    def resolve_client_public_key(self, client: OAuthClient) -> KeySet:
        if client.client_metadata["token_endpoint_auth_method"] != self.CLIENT_AUTH_METHOD:
            raise InvalidClientError("The client is not registered for private_key_jwt")
        keys = client.client_metadata["jwks"]["keys"]
        if alg := client.client_metadata.get("token_endpoint_auth_signing_alg"):
            keys = [{**key, "alg": alg} for key in keys]
        return KeySet.import_key_set({"keys": keys})

    def process_assertion_claims(self, assertion: str, resolve_key: KeySet) -> dict[str, Any]:
        header = _header_of(assertion)
        registered = _algorithm_of(header)
        for key in _candidates(resolve_key, header, registered):
            try:
                token = jwt.decode(assertion, key, algorithms=[registered])
            except (JoseError, ValueError):
                continue
            self.verify_claims(token.claims)
            return dict(token.claims)
        raise InvalidClientError("The client assertion is not valid")

    def verify_claims(self, claims: dict[str, Any]) -> None:
        if not isinstance(claims.get("aud"), str):
            raise InvalidClientError("The issuer must be the only audience")
        expires = claims.get("exp")
        latest = clock.now() + LONGEST_ASSERTION_LIFE + timedelta(seconds=LEEWAY)
        # « not … <= » because NaN, which Python's JSON reads, is never greater
        if not isinstance(expires, int | float) or not expires <= latest.timestamp():
            raise InvalidClientError("The assertion lives longer than 5 minutes")
        super().verify_claims(claims)

    def validate_jti(self, claims: dict[str, Any], jti: Any) -> bool:
        """True for the first use; two workers at once are told apart by the primary key."""
        if not isinstance(jti, str) or not 1 <= len(jti) <= 256:
            raise InvalidClientError("The jti is malformed")
        values = {
            "jti_hash": keyed_hash("jti", f"{claims['sub']}\0{jti}"),
            "client_id": str(claims["sub"])[:32],
            "expires_at": datetime.fromtimestamp(claims["exp"] + 2 * LEEWAY, UTC),
        }
        dialect = postgresql if db.engine.dialect.name == "postgresql" else sqlite
        statement = dialect.insert(UsedAssertion).values(values).on_conflict_do_nothing()
        # Not rowcount: for an INSERT it is -1 on PostgreSQL, whether a row came in or not.
        with transaction() as writes:
            kept = writes.execute(statement.returning(UsedAssertion.jti_hash))
            return kept.first() is not None


def _algorithm_of(header: dict[str, Any]) -> str:
    """The algorithm to check with: one of our list, and the key's type must fit (RFC 8725 §3.1)."""
    alg = header.get("alg")
    if alg not in ASSERTION_ALGORITHMS or header.get("typ", "JWT") not in _ASSERTION_TYPES:
        raise InvalidClientError("The assertion's algorithm or type is not accepted")
    return str(alg)


def _header_of(assertion: str) -> dict[str, Any]:
    try:
        return dict(jws.extract_compact(assertion.encode()).headers())
    except (JoseError, ValueError) as error:
        raise InvalidClientError("The client assertion is malformed") from error


def _candidates(keys: KeySet, header: dict[str, Any], alg: str) -> list[Key]:
    """The registered keys that fit: by ``kid`` where one is named, by type and the algorithm
    that the registration pins always (security rules O11, O12).
    """
    kid = header.get("kid")
    return [
        key
        for key in keys.keys
        if key.key_type == _KEY_TYPES[alg]
        and key.alg in (None, alg)
        and (kid is None or key.kid == kid)
    ]


def _is_readable_basic(header: str) -> bool:
    return _id_in_basic(header) is not None


def _id_in_basic(header: str) -> str | None:
    """The client that a Basic header names; None where it can't be read."""
    scheme, _, value = header.partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        name, colon, _password = b64decode(value, validate=True).decode("utf-8").partition(":")
    except ValueError:
        return None
    return unquote(name) if colon else None


def _id_in_assertion(assertion: str | None) -> str | None:
    """The client that an assertion names, not verified yet; None where it names none."""
    if assertion is None:
        return None
    try:
        claims = json.loads(jws.extract_compact(assertion.encode()).payload)
    except (JoseError, ValueError):
        return None
    subject = claims.get("sub") if isinstance(claims, dict) else None
    return subject if isinstance(subject, str) else None
