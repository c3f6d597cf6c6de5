"""Answers that leave us for the application: by redirect, by a page, or by a form.

Where a form of ours led here, the answer is a page of ours that goes on by itself: browsers check
every redirect that follows a form against ``form-action``, and where an application's callback
sends the browser is its own affair (docs/decisions/leaving-by-a-page.md).
"""

from urllib.parse import urlencode, urlsplit

from flask import make_response, redirect, render_template, request
from werkzeug.wrappers import Response

from idp import settings
from idp.clients import registration
from idp.credentials import throttling
from idp.oidc import pushed_requests, signed_answers
from idp.oidc.authorization_request import AuthorizationRequest
from idp.oidc.errors import AccessDeniedError, Denial, OAuth2Error
from idp.oidc.oauth_client import OAuthClient
from idp.sessions import interactions
from idp.sessions.models import Interaction
from idp.web import headers
from idp.web.errors import PageError, WayBack
from idp.web.interaction import allowance, waiting_request
from idp.web.protocol import device_answers

Fields = list[tuple[str, str]]


def answer(auth_request: AuthorizationRequest, fields: Fields, *, by_page: bool) -> Response:
    """The authorization response (RFC 6749 §4.1.2; Core §3.2.2.5, §3.3.2.5)."""
    return send(
        auth_request.client_id,
        auth_request.redirect_uri,
        auth_request.response_mode,
        fields,
        auth_request.state,
        iss=not auth_request.omit_iss,
        by_page=by_page,
    )


def error_answer(
    auth_request: AuthorizationRequest, error: OAuth2Error, *, by_page: bool
) -> Response:
    """The error response of a request that is otherwise sound."""
    if auth_request.device is not None:
        return device_answers.refuse(auth_request, error)
    return answer(auth_request, error_fields(error), by_page=by_page)


def deny(waiting: Interaction, why: Denial = Denial.CANCELLED) -> Response:
    """« Annuler », « Retour »: the application is told ``access_denied`` and why, once."""
    try:
        auth_request, _client = waiting_request(waiting)
    except OAuth2Error:  # its registration has changed: that page says so
        return redirect(f"/interaction/{waiting.id}", 303)
    if interactions.is_carried(waiting) and isinstance(allowance(), throttling.Blocked):
        pass  # not noted, so that a stranger's clicks fill no table; « cancel » always works
    elif not interactions.complete(waiting):
        return redirect(f"/interaction/{waiting.id}", 303)
    if not pushed_requests.use(auth_request):  # another browser was first
        return redirect(f"/interaction/{waiting.id}", 303)
    return error_answer(auth_request, AccessDeniedError(why.value), by_page=True)


def error_fields(error: OAuth2Error) -> Fields:
    """``error`` and an ``error_description`` in the characters that RFC 6749 §4.1.2.1 allows."""
    description = error.get_error_description() or ""
    clean = "".join(c if 32 <= ord(c) < 127 and c not in '"\\' else "?" for c in description)
    fields = [("error", str(error.error))]
    return [*fields, ("error_description", clean[:200])] if clean else fields


def send(
    client_id: str,
    redirect_uri: str,
    response_mode: str,
    fields: Fields,
    state: str | None,
    *,
    iss: bool = True,
    by_page: bool = False,
) -> Response:
    """Send fields to a redirect URI that has been verified.

    ``iss``: whether the answer names us (RFC 9207). ``by_page``: a form of ours may have led here.
    """
    way, fields = _whole(client_id, response_mode, fields, state, iss=iss)
    if way == "form_post":
        return _form_post(redirect_uri, fields)
    address = _with(redirect_uri, fields, fragment=way == "fragment")
    if by_page:
        return leave_for(address)
    # 303 after a POST: the browser must not repeat a form to the application (rule S7)
    return redirect(address, 303 if request.method == "POST" else 302)


def way_back(
    client: OAuthClient, redirect_uri: str, response_mode: str, fields: Fields, state: str | None
) -> WayBack:
    """What ``send`` would send, as a button that a person presses or not."""
    iss = names_issuer(client)
    way, fields = _whole(client.record.id, response_mode, fields, state, iss=iss)
    parts = urlsplit(redirect_uri)
    place = parts.netloc or f"{parts.scheme}:"
    if way == "form_post":
        headers.let_form_leave()
        return WayBack(client.record.name, place, redirect_uri, fields)
    address = _with(redirect_uri, fields, fragment=way == "fragment")
    return WayBack(client.record.name, place, address)


def leave_for(address: str) -> Response:
    """A page that goes on to this address by itself, without scripts; with a link for the rest."""
    return make_response(render_template("protocol/leaving.html", address=address))


def names_issuer(client: OAuthClient) -> bool:
    """Whether the answers to this application name us: unless its software stumbles over it."""
    return not client.client_metadata.get("omit_iss")


def _whole(
    client_id: str, response_mode: str, fields: Fields, state: str | None, *, iss: bool
) -> tuple[str, Fields]:
    """The way that an answer goes, and its fields with what stands in every one."""
    if state is not None:
        fields = [*fields, ("state", state)]
    way, _, signed = response_mode.partition(".")
    if iss or signed:  # RFC 9207; JARM §2.1
        fields = [*fields, ("iss", settings.current().issuer)]
    if signed:
        client = registration.find(client_id)
        if client is None:  # disabled a moment ago
            raise PageError("unknown_client")
        fields = [("response", signed_answers.signed(client, fields))]
    return way, fields


def _with(uri: str, fields: Fields, *, fragment: bool) -> str:
    """The URI with fields added; a registered query stays to the letter (RFC 6749 §3.1.2)."""
    if fragment:
        return f"{uri}#{urlencode(fields)}"
    joint = "" if uri.endswith(("?", "&")) else "&" if "?" in uri else "?"
    return f"{uri}{joint}{urlencode(fields)}"


def _form_post(redirect_uri: str, fields: Fields) -> Response:
    # OAuth 2.0 Form Post Response Mode 1.0
    headers.let_form_leave()
    page = render_template("protocol/form_post.html", action=redirect_uri, fields=fields)
    return make_response(page)
