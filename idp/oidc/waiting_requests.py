"""A request that was checked before and is taken up again: on a page of ours, at a screen, or once
it was pushed. Its registration may have changed meanwhile, and is asked once more (rules O1, O18).
"""

from dataclasses import replace
from typing import Any

from authlib.oauth2.rfc6749 import UnauthorizedClientError

from idp.clients.metadata import DEVICE_CODE
from idp.oidc import registered, request_ways, resources
from idp.oidc.authorization_request import AuthorizationRequest, check_challenge
from idp.oidc.errors import OAuth2Error, UntrustedRedirect
from idp.oidc.oauth_client import OAuthClient


def restored(document: dict[str, Any], client: OAuthClient) -> AuthorizationRequest:
    """The request that ``as_json`` kept, cut down to what is registered now.

    Raises the ``OAuth2Error`` that the same request would get, if it came now:
    ``UntrustedRedirect`` where nobody may be sent to its address any more, else with its
    ``redirect_uri``.
    """
    request = AuthorizationRequest.from_json(document)
    if request.device is None and not client.check_redirect_uri(request.redirect_uri):
        raise UntrustedRedirect("The redirect_uri is not registered", error="invalid_request")
    try:
        _check_ways(request, client)
        resources.check_kept(request.resource, client)
    except OAuth2Error as error:
        error.redirect_uri = request.redirect_uri
        raise
    kept = {
        place: claims
        for place in request.claims or {}
        if (claims := registered.claims(request.claims, place, client.record))
    }
    return replace(
        request,
        scope=registered.scope(request.scope, client.record),
        claims=kept or None,
        omit_iss=client.client_metadata.get("omit_iss") or None,
    )


def _check_ways(request: AuthorizationRequest, client: OAuthClient) -> None:
    """Whether it may be answered so, and may have come so."""
    if request.device is not None:
        registered_so = client.check_grant_type(DEVICE_CODE)
    else:
        registered_so = client.check_response_type(request.response_type)
    if not registered_so:
        raise UnauthorizedClientError("The client is not registered for this way any more")
    # What a release kept that did not say whether it was signed is taken at its word
    signed = request.signed is not False
    request_ways.check_way(client, pushed=request.pushed is not None, signed=signed)
    if request.gives_code and request.device is None:
        check_challenge(request.code_challenge, client)
