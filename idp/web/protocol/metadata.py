"""Discovery, key set and metadata: public, cacheable, the same for everybody."""

import json
from hashlib import sha256
from urllib.parse import urlsplit

from flask import Response, abort, current_app, request

from idp import settings
from idp.oidc import discovery, openapi, protected_resource
from idp.oidc.keyring import keyring, published_keys
from idp.web.protocol import cors
from idp.web.protocol.blueprint import endpoints

_DISCOVERY = "idp.discovery"


@endpoints.get("/.well-known/openid-configuration")
@endpoints.get("/.well-known/oauth-authorization-server")
def configuration() -> Response:
    """OpenID Connect Discovery 1.0 §4, RFC 8414 §3; made once a process, and anew where there are
    keys for other algorithms.
    """
    made_for, document = current_app.extensions.get(_DISCOVERY, (None, ""))
    keys = (discovery.signing_algorithms(), keyring().encryption_algorithms())
    if made_for != keys:
        document = json.dumps(discovery.metadata())
        current_app.extensions[_DISCOVERY] = (keys, document)
    return _public(document, "application/json")


@endpoints.get("/.well-known/openid-configuration/<path:issuer_path>")
@endpoints.get("/.well-known/oauth-authorization-server/<path:issuer_path>")
@endpoints.get("/<path:issuer_path>/.well-known/openid-configuration")
@endpoints.get("/<path:issuer_path>/.well-known/oauth-authorization-server")
def configuration_beside_path(issuer_path: str) -> Response:
    """The same for an issuer with a path: RFC 8414 §3.1 puts the well-known path before it,
    OpenID Connect Discovery §4 behind it, and some software (RFC 8414 §5) either anywhere.
    """
    if f"/{issuer_path}" != urlsplit(settings.current().issuer).path:
        abort(404)
    return configuration()


@endpoints.get(protected_resource.WELL_KNOWN)
@endpoints.get(f"{protected_resource.WELL_KNOWN}/<path:resource_path>")
def protected_resource_metadata(resource_path: str = "") -> Response:
    """RFC 9728 §3."""
    document = protected_resource.metadata(f"/{resource_path}")
    if document is None:
        abort(404)
    return _public(json.dumps(document), "application/json")


@endpoints.get("/openapi.json")
def description() -> Response:
    """Every address that programs call (OpenAPI 3.1)."""
    return _public(json.dumps(openapi.document()), "application/json")


@endpoints.get("/oauth2/jwks")
def jwks() -> Response:
    """The key set (RFC 7517 §5)."""
    return _public(json.dumps(published_keys()), "application/jwk-set+json")


def _public(body: str, content_type: str) -> Response:
    seconds = int(settings.current().key_cache.total_seconds())
    response = Response(body, content_type=content_type)
    response.headers["Cache-Control"] = f"public, max-age={min(seconds, 3600)}"
    response.set_etag(sha256(body.encode()).hexdigest()[:32])
    response.make_conditional(request)
    return cors.public(response)
