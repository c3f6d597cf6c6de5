"""Token introspection (RFC 7662): a client learns of its own tokens only."""

from typing import Any, Final

from authlib.oauth2.rfc7662 import IntrospectionEndpoint

from idp import settings
from idp.oidc import introspection_jwt, registered, sender, subjects
from idp.oidc.client_authentication import METHODS
from idp.oidc.revocation import check_token_parameter, own_token
from idp.oidc.tokens import FoundToken


class Introspection(IntrospectionEndpoint):  # type: ignore[misc]
    """``active`` is false for whatever is unknown, foreign, expired, revoked or ended."""

    # RFC 7662 §2.1: the caller must be authorised, so a public client is not enough.
    CLIENT_AUTH_METHODS: Final = [each for each in METHODS if each != "none"]

    def create_endpoint_response(self, request: Any) -> tuple[int, Any, Any]:
        """RFC 7662 §2.2; a JWT for who asks for one (RFC 9701 §5)."""
        status, body, headers = super().create_endpoint_response(request)
        if status == 200 and introspection_jwt.is_wanted(request.headers.get("Accept", "")):
            client = request.client.record
            body = introspection_jwt.signed(body, client.id, client.metadata_)
            headers = [("Content-Type", introspection_jwt.MEDIA_TYPE)]
        return status, body, headers

    def authenticate_token(self, request: Any, client: Any) -> FoundToken | None:
        check_token_parameter(request)
        token = own_token(request, client)
        if token is None or token.live_grant() is None:
            return None
        return token

    def introspect_token(self, token: FoundToken) -> dict[str, Any]:
        client = token.client
        issued_at = token.token.issued_at
        return {
            "active": True,
            "scope": registered.scope(token.token.scope, client),
            "client_id": client.id,
            "token_type": token.kind
            if token.kind == "refresh_token"
            else sender.token_type(token.token.confirmation),
            **sender.cnf(token.token.confirmation),
            "sub": subjects.of_guardian(token.account, client),
            "sid": subjects.of_session(token.grant.session_id, client),
            "iss": settings.current().issuer,
            "aud": token.resource or client.id,
            "iat": int(issued_at.timestamp()),
            "exp": int(token.token.expires_at.timestamp()),
        }
