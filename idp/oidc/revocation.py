"""Token revocation (RFC 7009): a refresh token takes its whole grant with it."""

from typing import Any

from authlib.oauth2.rfc6749 import InvalidRequestError
from authlib.oauth2.rfc7009 import RevocationEndpoint
from sqlalchemy import update

from idp import clock
from idp.audit import events
from idp.database import db
from idp.oidc import grants_service, tokens
from idp.oidc.client_authentication import METHODS
from idp.oidc.models import AccessToken, Grant
from idp.oidc.tokens import FoundToken


class Revocation(RevocationEndpoint):  # type: ignore[misc]
    """A client revokes its own tokens; of others it learns nothing (security rule O7)."""

    CLIENT_AUTH_METHODS = METHODS

    def check_params(self, request: Any, client: Any) -> None:
        check_token_parameter(request)

    def authenticate_token(self, request: Any, client: Any) -> FoundToken | None:
        self.check_params(request, client)
        return own_token(request, client)

    def revoke_token(self, token: FoundToken, request: Any) -> None:
        if token.kind == "refresh_token":
            # RFC 7009 §2.1: and the access tokens of the same grant.
            grants_service.end("revoked by the application", Grant.id == token.grant.id)
        else:
            db.session.execute(
                update(AccessToken)
                .where(AccessToken.token_hash == token.token.token_hash)
                .values(revoked_at=clock.now())
            )
        events.record(
            "token_revoked",
            account_id=token.account.id,
            client_id=token.grant.client_id,
            kind=token.kind,
        )


def check_token_parameter(request: Any) -> None:
    """The token must be there; a hint that we don't know is only a hint (RFC 7009 §2.1)."""
    if not request.form.get("token"):
        raise InvalidRequestError("The token is missing")


def own_token(request: Any, client: Any) -> FoundToken | None:
    """The presented token of either kind, if it is this client's."""
    text = request.form["token"]
    searches = [tokens.find_access, tokens.find_refresh]
    if request.form.get("token_type_hint") == "refresh_token":
        searches.reverse()
    for search in searches:
        token = search(text)
        if token is not None:
            return token if token.check_client(client) else None
    return None
