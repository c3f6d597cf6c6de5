"""An OpenID Connect provider: Google, Cabanga, or any other that the settings name.

Authlib's Flask client does the protocol; here stands what it leaves to its user: documents
that are checked and cached, the algorithms that we accept, ``aud``, the age of the token.
"""

import json
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from authlib.common.errors import AuthlibBaseError
from authlib.integrations.flask_client import FlaskOAuth2App
from joserfc.errors import JoseError

from idp import clock
from idp.federation.authorization_request import ProviderRequest
from idp.federation.identity import ForeignIdentity, WrongAnswer
from idp.federation.models import SHOWN_LENGTH, SUBJECT_LENGTH
from idp.federation.outgoing import BoundedSession
from idp.outgoing.documents import Cached
from idp.outgoing.guarded import Answer
from idp.outgoing.places import Places
from idp.settings.providers import ProviderSettings

ALGORITHMS: Final = ("RS256", "PS256", "ES256", "EdDSA", "RS384", "RS512", "ES384", "PS384")
"""Asymmetric ones only: with HS256, whoever knows our secret could sign (RFC 8725 §3.1)."""
LEEWAY: Final = 60  # seconds that two clocks may differ
OLDEST_TOKEN: Final = timedelta(minutes=10)
MOST_KEYS: Final = 50
LONGEST_ADDRESS: Final = 2000


class OpenIDApp(FlaskOAuth2App):  # type: ignore[misc]
    """Authlib's client with documents that are cached as their headers say."""

    client_cls = BoundedSession
    OAUTH_APP_CONFIG: Final = None

    def __init__(self, *args: Any, provider: ProviderSettings, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.provider = provider
        self._metadata = Cached("metadata", self._fetch_metadata, self._check_metadata)
        self._keys = Cached("keys", self._fetch_keys, _check_keys)

    def load_server_metadata(self) -> dict[str, Any]:
        """The provider's metadata; from the settings where these name its endpoints."""
        if self.provider.has_endpoints:
            return _of_settings(self.provider)
        return self._metadata.get()

    def fetch_jwk_set(self, force: bool = False) -> dict[str, Any]:
        """The provider's keys; ``force``, for an unknown ``kid``, is heard once a minute."""
        return self._keys.again() if force else self._keys.get()

    def _fetch_metadata(self) -> Answer:
        return self._fetch(self.provider.discovery_address)

    def _fetch_keys(self) -> Answer:
        return self._fetch(self.load_server_metadata()["jwks_uri"])

    def _fetch(self, address: str) -> Answer:
        with self._get_session() as session:
            return Answer.of(session.request("GET", address, withhold_token=True))

    def _check_metadata(self, answer: Answer) -> dict[str, Any]:
        document = answer.json_object()
        # Discovery §4.3: the issuer is ours to the letter, or the document is somebody else's.
        if document.get("issuer") != self.provider.issuer:
            raise WrongAnswer("metadata: other issuer")
        offered = document.get("id_token_signing_alg_values_supported")
        offered = offered if isinstance(offered, list) else ["RS256"]
        return {
            "issuer": self.provider.issuer,
            **{name: self._endpoint(document, name) for name in _ENDPOINTS},
            "id_token_signing_alg_values_supported": [a for a in ALGORITHMS if a in offered],
            "authorization_response_iss_parameter_supported": document.get(
                "authorization_response_iss_parameter_supported"
            )
            is True,
        }

    def _endpoint(self, document: dict[str, Any], name: str) -> str:
        address = document.get(name)
        # As safe as the address of the document itself, which the settings have checked.
        scheme = self.provider.discovery_address.partition(":")[0]
        if (
            not isinstance(address, str)
            or not address.startswith(("https://", f"{scheme}://"))
            or len(address) > LONGEST_ADDRESS
            or not address.isprintable()
        ):
            raise WrongAnswer(f"metadata: no {name}")
        return address


class OpenIDProvider:
    """Sends a browser to an OpenID Connect provider, and reads what it brings back."""

    def __init__(self, settings: ProviderSettings, app: OpenIDApp) -> None:
        self.settings = settings
        self._app = app
        self._places = Places()

    def address(self, request: ProviderRequest) -> str:
        """Where the browser goes (Core §3.1.2.1). Raises ``ProviderTrouble``."""
        parameters: dict[str, Any] = {
            # Core §5.5.1.1; Google tells auth_time only to those who ask so.
            "claims": json.dumps({"id_token": {"auth_time": {"essential": True}}}),
            "ui_locales": request.locale,
        }
        if request.max_age is not None:
            parameters |= {"max_age": request.max_age, "prompt": "login"}
        elif request.chooses:
            parameters["prompt"] = "select_account"
        if self.settings.hosted_domain:
            parameters["hd"] = self.settings.hosted_domain  # a hint; the claim decides
        with self._places.apart():
            made = self._app.create_authorization_url(
                request.redirect_uri,
                state=request.state,
                nonce=request.nonce,
                code_verifier=request.verifier,
                **parameters,
            )
        return str(made["url"])

    def tells_issuer(self) -> bool:
        """Whether it announces ``iss`` in every authorization response (RFC 9207 §3)."""
        with self._places.apart():
            metadata = self._app.load_server_metadata()
        return bool(metadata.get("authorization_response_iss_parameter_supported"))

    def identity(self, code: str, request: ProviderRequest) -> ForeignIdentity:
        """Whose identity the code proves. Raises ``ProviderTrouble``."""
        with self._places.apart():
            try:
                token = self._app.fetch_access_token(
                    redirect_uri=request.redirect_uri, code=code, code_verifier=request.verifier
                )
                claims = self._verified(token, request)
            except AuthlibBaseError as error:
                raise WrongAnswer(_short(error.error)) from None
            except (JoseError, ValueError, TypeError, KeyError, RecursionError) as error:
                # Whatever a malformed token breaks in the libraries that read it.
                raise WrongAnswer(type(error).__name__) from None
        return self._read(claims)

    def _verified(self, token: dict[str, Any], request: ProviderRequest) -> dict[str, Any]:
        """The claims of the ID token, verified in full (Core §3.1.3.7, security rule F2)."""
        if not isinstance(token.get("id_token"), str):
            raise WrongAnswer("no ID token")
        options = {
            "iss": {"essential": True, "values": list(self.settings.accepted_issuers)},
            "aud": {"essential": True, "value": self.settings.client_id},
        }
        claims = self._app.parse_id_token(
            token, nonce=request.nonce, claims_options=options, leeway=LEEWAY
        )
        issued = datetime.fromtimestamp(claims["iat"], UTC)
        if clock.now() - issued > OLDEST_TOKEN:
            raise WrongAnswer("old ID token")
        return dict(claims)

    def _read(self, claims: dict[str, Any]) -> ForeignIdentity:
        subject = claims["sub"]
        if not _is_subject(subject):
            raise WrongAnswer("no subject")
        wanted = self.settings.hosted_domain
        if wanted and claims.get("hd") != wanted:
            raise WrongAnswer("other domain")
        return ForeignIdentity(
            provider=self.settings.key,
            issuer=self.settings.issuer,
            subject=subject,
            shown=_shown(claims, self.settings.claim_map),
            auth_time=_auth_time(claims.get("auth_time")),
        )


_ENDPOINTS: Final = ("authorization_endpoint", "token_endpoint", "jwks_uri")


def _of_settings(provider: ProviderSettings) -> dict[str, Any]:
    return {
        "issuer": provider.issuer,
        **{name: getattr(provider, name) for name in _ENDPOINTS},
        "id_token_signing_alg_values_supported": list(ALGORITHMS),
    }


def _check_keys(answer: Answer) -> dict[str, Any]:
    keys = answer.json_object().get("keys")
    if not isinstance(keys, list) or not all(isinstance(key, dict) for key in keys):
        raise WrongAnswer("no key set")
    # Keys of kinds that we don't use must not make the set unreadable (RFC 7517 §5).
    usable = [key for key in keys if key.get("kty") in {"RSA", "EC", "OKP"} and _signs(key)]
    return {"keys": usable[:MOST_KEYS]}


def _signs(key: dict[str, Any]) -> bool:
    return key.get("use", "sig") == "sig" and key.get("alg", ALGORITHMS[0]) in ALGORITHMS


def _is_subject(subject: object) -> bool:
    return (
        isinstance(subject, str)
        and 0 < len(subject) <= SUBJECT_LENGTH
        and subject.isascii()
        and subject.isprintable()
    )


def _shown(claims: dict[str, Any], claim_map: dict[str, str]) -> str:
    for ours in ("email", "name"):
        value = claims.get(claim_map.get(ours, ours))
        if isinstance(value, str) and value.strip():
            return "".join(c for c in value.strip() if c.isprintable())[:SHOWN_LENGTH]
    return ""


def _auth_time(value: object) -> datetime | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        auth_time = datetime.fromtimestamp(value, UTC)
    except (ValueError, OverflowError, OSError):
        return None
    # A time to come would make a session young for as long.
    return min(auth_time, clock.now())


def _short(text: object) -> str:
    kept = "".join(c for c in str(text) if c.isascii() and (c.isalnum() or c == "_"))
    return kept[:40] or "error"
