"""How an authorization request has to come: pushed (RFC 9126), signed (RFC 9101)."""

from authlib.oauth2.rfc6749 import InvalidRequestError

from idp import settings
from idp.oidc.oauth_client import OAuthClient


def check_way(client: OAuthClient, *, pushed: bool, signed: bool) -> None:
    """Refuse parameters that came in another way than the registration or the operator says."""
    if not pushed and must_push(client):
        raise InvalidRequestError("The request has to be pushed first (RFC 9126)")
    if not signed and must_sign(client):
        # RFC 9101 §10.5
        raise InvalidRequestError("The application is registered for signed request objects alone")


def must_push(client: OAuthClient) -> bool:
    """Whether this client's requests have to be pushed (RFC 9126 §4, §6)."""
    everybody = settings.current().require_pushed_authorization_requests
    return everybody or bool(
        client.client_metadata.get("require_pushed_authorization_requests", False)
    )


def must_sign(client: OAuthClient) -> bool:
    """Whether this client's requests have to be signed (RFC 9101 §10.5)."""
    return bool(client.client_metadata.get("require_signed_request_object"))
