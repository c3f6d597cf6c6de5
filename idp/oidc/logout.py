"""RP-initiated logout (OpenID Connect RP-Initiated Logout 1.0): when to ask, where to return."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlencode

from joserfc import jwt
from joserfc.errors import JoseError

from idp import settings
from idp.clients import registration
from idp.clients.models import ClientRow
from idp.oidc import subjects
from idp.oidc.keyring import keyring
from idp.oidc.keys import ALGORITHMS
from idp.sessions.service import SignedIn

LONGEST_HINT: Final = 8000
CONTRADICTION: Final = "The id_token_hint is another application's than the client_id"
NOBODY: Final = "Neither an id_token_hint of ours nor a known client_id says which application asks"
UNREGISTERED: Final = "The post_logout_redirect_uri is not registered"


@dataclass(frozen=True)
class LogoutRequest:
    """A logout as an application asks for it, with what of it may be trusted."""

    client: ClientRow | None = None
    subject: str | None = None
    """The ``sub`` of a valid ``id_token_hint`` of this client."""
    return_uri: str | None = None
    """Registered to the letter by the application that the hint or else ``client_id`` names, with
    ``state``."""
    problem: str = ""
    """Why it does not lead back as it asks to, for the application's developer."""

    def needs_no_question(self, signed_in: SignedIn | None) -> bool:
        """Whether the hint proves that the session's own application asks (rule O20).

        Not where it asks to be led where it may not: who would be stranded on a page of ours is
        asked first (§4: what fails to validate is not acted on).
        """
        if self.subject is None or self.client is None or self.problem:
            return False
        if signed_in is None:
            return True
        return self.subject == subjects.of_guardian(signed_in.account, self.client)


def read(parameters: Mapping[str, str]) -> LogoutRequest:
    """Understand a request: whatever is missing, forged or foreign counts as absent."""
    claims = hint_claims(parameters.get("id_token_hint"))
    client_id = parameters.get("client_id") or ""
    if claims is not None and client_id and client_id != claims["aud"]:
        # §2: both must name the same application
        return LogoutRequest(registration.find(client_id), problem=CONTRADICTION)
    client = registration.find(claims["aud"] if claims else client_id)
    asks_back = bool(parameters.get("post_logout_redirect_uri"))
    if client is None:
        return LogoutRequest(problem=NOBODY if asks_back else "")
    subject, back = str(claims["sub"]) if claims else None, _return_uri(client, parameters)
    return LogoutRequest(client, subject, back, UNREGISTERED if asks_back and not back else "")


def _return_uri(client: ClientRow, parameters: Mapping[str, str]) -> str | None:
    """Where to go back to: without a hint the exact match is what confirms it (§3)."""
    wanted = parameters.get("post_logout_redirect_uri")
    if not wanted or wanted not in client.metadata_["post_logout_redirect_uris"]:
        return None
    state = parameters.get("state")
    if state:
        wanted += ("&" if "?" in wanted else "?") + urlencode({"state": state})
    return wanted


def hint_claims(hint: str | None) -> dict[str, Any] | None:
    """The claims of an ID token of ours, expired or not; None for anything else (rule O15)."""
    if not hint or len(hint) > LONGEST_HINT:
        return None
    try:
        token = jwt.decode(hint, keyring().verification_keys(), algorithms=list(ALGORITHMS))
    except (JoseError, ValueError):
        return None
    claims = dict(token.claims)
    ours = claims.get("iss") == settings.current().issuer and token.header.get("typ") == "JWT"
    whole = isinstance(claims.get("aud"), str) and isinstance(claims.get("sub"), str)
    return claims if ours and whole and token.header.get("kid") else None


def hinted_subject(hint: str | None, client: ClientRow) -> str | None:
    """The ``sub`` that a hint of this client names; a hint that is not ours is as absent."""
    claims = hint_claims(hint)
    return str(claims["sub"]) if claims and claims["aud"] == client.id else None
