"""``private_key_jwt`` (RFC 7523, OpenID Connect Core §9): the assertion and its rules (O11)."""

from datetime import timedelta
from typing import Any, Final

from authlib.oauth2.rfc6749 import InvalidClientError
from authlib.oauth2.rfc7523 import JWTBearerClientAssertion
from joserfc import jws, jwt
from joserfc.errors import JoseError
from joserfc.jwk import Key, KeySet

from idp import clock, settings
from idp.clients import key_sets, profiles, used
from idp.clients.metadata import ASSERTION_ALGORITHMS, accepts_endpoint_as_audience
from idp.oidc.oauth_client import OAuthClient
from idp.oidc.requests import ProtocolRequest
from idp.outgoing.trouble import Trouble

LONGEST_LIFE: Final = timedelta(minutes=5)
LONGEST_LENIENT_LIFE: Final = timedelta(hours=1)
"""What Authlib's own client sends; others send a minute."""
LEEWAY: Final = 60  # seconds of clock difference
_TYPES: Final = ("JWT", "client-authentication+jwt")


class PrivateKeyJwt(JWTBearerClientAssertion):  # type: ignore[misc]
    """``private_key_jwt`` at the endpoint that a request came to."""

    CLIENT_AUTH_METHOD = "private_key_jwt"

    def __init__(self, request: ProtocolRequest) -> None:
        super().__init__(validate_jti=True, leeway=LEEWAY)
        self._request = request

    def get_audiences(self) -> list[str]:
        """The issuer; where the registration is lenient, our token endpoint and the one that the
        assertion came to, too (OpenID Connect Core §9, RFC 9126 §2).

        An assertion for another server, or one that a malicious server asked for, is worth
        nothing here, so that nothing else may be named beside them (RFC 7523bis §4).
        """
        config = settings.current()
        if not self._lenient:
            return [config.issuer]
        paths = ("/oauth2/token", self._request.uri)
        bases = [each for each in (config.issuer, config.mtls_address) if each]  # RFC 8705 §5
        return [config.issuer, *(base + path for base in bases for path in paths)]

    @property
    def _lenient(self) -> bool:
        return accepts_endpoint_as_audience(self._request.client.client_metadata)

    def resolve_client_public_key(self, client: OAuthClient) -> KeySet:
        if client.client_metadata["token_endpoint_auth_method"] != self.CLIENT_AUTH_METHOD:
            raise InvalidClientError("The client is not registered for private_key_jwt")
        return KeySet([])  # below: one after the other, until one fits

    def process_assertion_claims(self, assertion: str, resolve_key: KeySet) -> dict[str, Any]:
        header = header_of(assertion)
        client = self._request.client.record
        alg = _algorithm_of(header, client.metadata_)
        pinned = client.metadata_.get("token_endpoint_auth_signing_alg")
        try:
            for key in key_sets.verifying(client, alg, header.get("kid"), pinned=pinned):
                claims = _signed_claims(assertion, key, alg)
                if claims is not None:
                    self.verify_claims(claims)
                    return claims
        except Trouble as trouble:
            reason = f"The keys at the jwks_uri can't be read: {trouble.reason}"
            raise InvalidClientError(reason) from None
        raise InvalidClientError("The client assertion is not valid")

    def verify_claims(self, claims: dict[str, Any]) -> None:
        """Each claim of an assertion whose signature is good: the error says which is wrong."""
        self._check_audience(claims.get("aud"))
        life = LONGEST_LENIENT_LIFE if self._lenient else LONGEST_LIFE
        expires = claims.get("exp")
        latest = clock.now() + life + timedelta(seconds=LEEWAY)
        # « not … <= » because NaN, which Python's JSON reads, is never greater
        if not isinstance(expires, int | float) or not expires <= latest.timestamp():
            minutes = int(life.total_seconds() // 60)
            raise InvalidClientError(
                f"Invalid claim: 'exp' must be a time at most {minutes} minutes ahead"
            )
        try:
            super().verify_claims(claims)
        except InvalidClientError as error:
            claim = getattr(error.__cause__, "claim", None)
            if claim is None or f"'{claim}'" in error.description:
                raise
            raise InvalidClientError(f"{error.description} ('{claim}')") from error

    def validate_jti(self, claims: dict[str, Any], jti: Any) -> bool:
        """Whether it is the first use; kept for as long as the assertion would be accepted."""
        if not isinstance(jti, str) or not 1 <= len(jti) <= 256 or not jti.isprintable():
            raise InvalidClientError("Invalid claim: 'jti' must be a text of 1 to 256 characters")
        until = claims["exp"] + 2 * LEEWAY
        return used.first_use("jti", claims["sub"], jti, claims["sub"], until)

    def _check_audience(self, audience: Any) -> None:
        accepted = self.get_audiences()
        named = [audience] if isinstance(audience, str) else audience
        if profiles.is_fapi2(self._request.client.client_metadata):
            named = named if isinstance(audience, str) else []  # FAPI 2.0 §5.3.2.1: as a string
        if not isinstance(named, list) or not named or not all(n in accepted for n in named):
            raise InvalidClientError(
                f"Invalid claim: 'aud' must be {' or '.join(dict.fromkeys(accepted))}, and no other"
            )


def _algorithm_of(header: dict[str, Any], document: dict[str, Any]) -> str:
    """The algorithm to check with: one of our list, or of FAPI 2.0's, and the key's type must fit
    (RFC 8725 §3.1).
    """
    alg = header.get("alg")
    strong = profiles.is_fapi2(document)
    accepted = profiles.STRONG_ALGORITHMS if strong else ASSERTION_ALGORITHMS
    if alg not in accepted or header.get("typ", "JWT") not in _TYPES:
        raise InvalidClientError("The assertion's algorithm or type is not accepted")
    return str(alg)


def header_of(assertion: str) -> dict[str, Any]:
    """What an assertion says of itself, not verified yet. Raises ``InvalidClientError``."""
    try:
        return dict(jws.extract_compact(assertion.encode()).headers())
    except (JoseError, ValueError) as error:
        raise InvalidClientError("The client assertion is malformed") from error


def _signed_claims(assertion: str, key: Key, alg: str) -> dict[str, Any] | None:
    """What stands in it, if this key has signed it."""
    try:
        return dict(jwt.decode(assertion, key, algorithms=[alg]).claims)
    except (JoseError, ValueError):
        return None
