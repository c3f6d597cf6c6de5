"""Facebook: OAuth 2.0 and the Graph API (no OpenID Connect for web pages).

Whose token it is comes from ``debug_token``, and every call carries ``appsecret_proof``
(security rule F2). Facebook tells no ``auth_time``: a fresh sign-in can't be proved there.
"""

import hashlib
import hmac
import json
from base64 import urlsafe_b64decode
from datetime import UTC, datetime
from typing import Any, Final

from authlib.common.errors import AuthlibBaseError
from authlib.integrations.flask_client import FlaskOAuth2App

from idp import clock
from idp.federation.authorization_request import ProviderRequest
from idp.federation.identity import ForeignIdentity, ProviderAway, WrongAnswer
from idp.federation.models import SHOWN_LENGTH, SUBJECT_LENGTH
from idp.federation.outgoing import BoundedSession
from idp.outgoing.guarded import Answer
from idp.outgoing.places import Places
from idp.settings.providers import ProviderSettings

LONGEST_REQUEST: Final = 8192


class FacebookApp(FlaskOAuth2App):  # type: ignore[misc]
    """Authlib's client on bounded requests."""

    client_cls = BoundedSession
    OAUTH_APP_CONFIG: Final = None


class FacebookProvider:
    """Sends a browser to Facebook's dialog, and reads what it brings back."""

    def __init__(self, settings: ProviderSettings, app: FacebookApp) -> None:
        self.settings = settings
        self._app = app
        self._places = Places()

    def address(self, request: ProviderRequest) -> str:
        """Where the browser goes."""
        parameters = {"auth_type": "reauthenticate"} if request.max_age is not None else {}
        made = self._app.create_authorization_url(
            request.redirect_uri, state=request.state, code_verifier=request.verifier, **parameters
        )
        return str(made["url"])

    def tells_issuer(self) -> bool:
        """Facebook sends no ``iss``; that its callback is its own keeps it apart."""
        return False

    def identity(self, code: str, request: ProviderRequest) -> ForeignIdentity:
        """Whose identity the code proves. Raises ``ProviderTrouble``."""
        with self._places.apart():
            try:
                token = self._app.fetch_access_token(
                    redirect_uri=request.redirect_uri, code=code, code_verifier=request.verifier
                )
            except AuthlibBaseError as error:
                raise WrongAnswer(type(error).__name__) from None
            except (ValueError, TypeError, KeyError, RecursionError) as error:
                raise WrongAnswer(type(error).__name__) from None
            access_token = token.get("access_token")
            if not isinstance(access_token, str):
                raise WrongAnswer("no access token")
            subject = self._owner(access_token)
            profile = self._graph(
                f"{self.settings.graph_version}/me", access_token, fields="id,name,email"
            )
        if profile.get("id") != subject:
            raise WrongAnswer("profile of another person")
        return ForeignIdentity(
            provider=self.settings.key,
            issuer=self.settings.issuer,
            subject=subject,
            shown=_shown(profile),
        )

    def _owner(self, access_token: str) -> str:
        """Whose token it is, and that it was given to our app and to no other."""
        ours = f"{self.settings.client_id}|{self.settings.client_secret.reveal()}"
        answer = self._graph("debug_token", ours, input_token=access_token)
        data = answer.get("data")
        if not isinstance(data, dict) or data.get("is_valid") is not True:
            raise WrongAnswer("invalid token")
        if str(data.get("app_id")) != self.settings.client_id:
            raise WrongAnswer("token of another app")
        if data.get("type", "USER") != "USER":
            raise WrongAnswer("token of no person")
        subject = data.get("user_id")
        if not isinstance(subject, str) or not (subject.isascii() and subject.isdigit()):
            raise WrongAnswer("no subject")
        if len(subject) > SUBJECT_LENGTH:
            raise WrongAnswer("no subject")
        return subject

    def _graph(self, path: str, access_token: str, **parameters: str) -> dict[str, Any]:
        parameters |= {
            "access_token": access_token,
            "appsecret_proof": self._proof(access_token),
        }
        with self._app._get_session() as session:
            response = session.request(
                "GET",
                f"{self.settings.graph_url.rstrip('/')}/{path}",
                params=parameters,
                withhold_token=True,
            )
        if response.status_code != 200:
            raise ProviderAway(f"Graph answers {response.status_code}")
        return Answer.of(response).json_object()

    def _proof(self, access_token: str) -> str:
        secret = self.settings.client_secret.encode()
        return hmac.new(secret, access_token.encode(), hashlib.sha256).hexdigest()

    def signed_subject(self, signed_request: str) -> tuple[str, datetime]:
        """Whom a callback of Facebook's is about, and when it was signed.

        ``signed_request``: two base64url parts, the HMAC-SHA-256 under the app secret of the
        second, and the second. Raises ``WrongAnswer``.
        """
        signature, _, payload = signed_request[:LONGEST_REQUEST].partition(".")
        ours = hmac.new(self.settings.client_secret.encode(), payload.encode(), hashlib.sha256)
        if not hmac.compare_digest(_decoded(signature), ours.digest()):
            raise WrongAnswer("signature")
        try:
            document = json.loads(_decoded(payload))
        except (ValueError, RecursionError):
            raise WrongAnswer("payload") from None
        if not isinstance(document, dict) or document.get("algorithm") != "HMAC-SHA256":
            raise WrongAnswer("algorithm")
        subject = document.get("user_id")
        if not isinstance(subject, str) or not 0 < len(subject) <= SUBJECT_LENGTH:
            raise WrongAnswer("no subject")
        return subject, _issued(document.get("issued_at"))


def _decoded(text: str) -> bytes:
    try:
        return urlsafe_b64decode(text.encode("ascii") + b"=" * (-len(text) % 4))
    except (ValueError, UnicodeEncodeError):
        return b""


def _issued(value: object) -> datetime:
    if isinstance(value, int) and not isinstance(value, bool) and 0 < value < 2**40:
        return min(datetime.fromtimestamp(value, UTC), clock.now())
    return clock.now()


def _shown(profile: dict[str, Any]) -> str:
    for name in ("email", "name"):
        value = profile.get(name)
        if isinstance(value, str) and value.strip():
            return "".join(c for c in value.strip() if c.isprintable())[:SHOWN_LENGTH]
    return ""
