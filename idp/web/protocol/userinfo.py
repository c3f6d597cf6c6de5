"""The UserInfo endpoint (OpenID Connect Core §5.3, RFC 6750)."""

import json

from flask import Response, request

from idp.oidc import dpop, protected_resource, refusals, tokens
from idp.oidc import userinfo as claims
from idp.oidc.errors import DpopTokenMisused, InvalidDpopProof, OAuth2Error, UseDpopNonce
from idp.oidc.requests import ProtocolRequest, check_content_type
from idp.web.protocol import cors
from idp.web.protocol.blueprint import endpoints


@endpoints.route("/oauth2/userinfo", methods=["GET", "POST", "OPTIONS"])
@cors.for_registered_origins
def userinfo() -> Response:
    """GET, POST with the header, or POST with the token in the body."""
    try:
        answer, content_type = claims.userinfo(_protocol_request(), _presented_token())
        response = cors.uncached(Response(answer))
        response.content_type = content_type
        return response
    except OAuth2Error as error:
        return cors.uncached(_refusal(error))


def _protocol_request() -> ProtocolRequest:
    return ProtocolRequest(request._get_current_object())  # type: ignore[attr-defined]


def _presented_token() -> claims.PresentedToken:
    body = request.form.getlist("access_token") if request.method == "POST" else []
    if body:
        check_content_type(request.mimetype)  # RFC 6750 §2.2
    authorization = request.headers.get("Authorization", "")
    return claims.one_token(authorization, body, in_query="access_token" in request.args)


def _reason(error: OAuth2Error) -> str:
    if isinstance(error, claims.NoToken):
        return "No token was presented"
    return str(error.get_error_description())


def _client_id() -> str | None:
    """The application whose token came in whichever way, so that its developer learns why not."""
    header = request.headers.get("Authorization", "").partition(" ")[2].strip()
    for text in (header, *request.values.getlist("access_token")):
        if text and (token := tokens.find_access(text)) is not None:
            return token.client.id
    return None


def _refusal(error: OAuth2Error) -> Response:
    refusals.note("userinfo", error.error, _reason(error), _client_id())
    body: dict[str, str | None] = {}
    if not isinstance(error, claims.NoToken):
        body = {"error": error.error, "error_description": error.get_error_description()}
    fields = dict(body)
    if error.error == "insufficient_scope":
        fields["scope"] = "openid"
    fields["resource_metadata"] = protected_resource.address_of_metadata()  # RFC 9728 §5.1
    about_proof = isinstance(error, InvalidDpopProof | UseDpopNonce)
    response = Response(json.dumps(body), status=401 if about_proof else error.status_code)
    for scheme in _challenged(error):
        of_scheme = {**fields, "algs": " ".join(dpop.ALGORITHMS)} if scheme == "DPoP" else fields
        words = ", ".join(f'{name}="{value}"' for name, value in of_scheme.items())
        response.headers.add("WWW-Authenticate", f"{scheme} {words}")
    return response


def _challenged(error: OAuth2Error) -> tuple[str, ...]:
    """The schemes that an error is told by: DPoP where a token came, or should have come, by it
    (RFC 9449 §7.1), and both where none came (§7.2).
    """
    if isinstance(error, claims.NoToken):
        return "Bearer", "DPoP"
    scheme = request.headers.get("Authorization", "").partition(" ")[0].lower()
    if scheme == "dpop" or isinstance(error, InvalidDpopProof | UseDpopNonce | DpopTokenMisused):
        return ("DPoP",)
    return ("Bearer",)
