"""Discovery and key set: public, cacheable, the same for everybody."""

import json

from flask import Response, current_app

from idp import settings
from idp.oidc import discovery
from idp.oidc.keyring import keyring
from idp.web.protocol import cors
from idp.web.protocol.blueprint import endpoints

_DISCOVERY = "idp.discovery"


@endpoints.get("/.well-known/openid-configuration")
@endpoints.get("/.well-known/oauth-authorization-server")
def configuration() -> Response:
    """OpenID Connect Discovery 1.0 §4, RFC 8414 §3; made once a process."""
    if _DISCOVERY not in current_app.extensions:
        current_app.extensions[_DISCOVERY] = json.dumps(discovery.metadata())
    return _public(current_app.extensions[_DISCOVERY], "application/json")


@endpoints.get("/oauth2/jwks")
def jwks() -> Response:
    """The key set (RFC 7517 §5)."""
    return _public(json.dumps(keyring().key_set()), "application/jwk-set+json")


def _public(body: str, content_type: str) -> Response:
    seconds = int(settings.current().key_cache.total_seconds())
    response = Response(body, content_type=content_type)
    response.headers["Cache-Control"] = f"public, max-age={min(seconds, 3600)}"
    return cors.public(response)
