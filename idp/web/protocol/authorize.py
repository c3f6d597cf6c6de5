"""The authorization endpoint (RFC 6749 §3.1, OpenID Connect Core §3.1.2)."""

import json
from typing import Final
from urllib.parse import urlencode

from flask import redirect, request
from werkzeug.datastructures import MultiDict
from werkzeug.wrappers import Response

from idp.oidc import (
    authorization_parameters,
    authorization_request,
    first_look,
    logout,
    pushed_requests,
    refusals,
    request_ways,
    response_types,
    server,
)
from idp.oidc.authorization_parameters import Pushed, Read, Refused, registered_redirect_uri
from idp.oidc.errors import InvalidRequestUri, OAuth2Error
from idp.oidc.first_look import FirstLook
from idp.oidc.oauth_client import OAuthClient, query_client
from idp.oidc.requests import FORM, with_values
from idp.web import browser, headers
from idp.web.errors import PageError
from idp.web.interaction import pushed_before
from idp.web.protocol import crossing, error_answers
from idp.web.protocol.blueprint import endpoints
from idp.web.protocol.interaction import proceed

_UNDERSTOOD: Final = "understood"
"""The parameters of a request object that crossed sites, on their way to ourselves."""


@endpoints.route("/oauth2/authorize", methods=["GET", "POST"])
def authorize() -> Response:
    """Validate, then show what is missing or answer the application at once."""
    if request.method == "POST" and request.mimetype != FORM:
        raise PageError("unsupported_media_type", 415)  # OpenID Connect Core §3.1.2.1
    sent = with_values(request.form if request.method == "POST" else request.args)
    if request.method == "POST" and not browser.has_cookies():
        return _to_ourselves(sent)
    looked = _first_look(sent)
    known, row = (looked.client, looked.pushed) if looked else (None, None)
    match _crossed(sent) or authorization_parameters.read(sent, known=known, pushed=row):
        case Refused(parameters, error):
            error.redirect_uri = registered_redirect_uri(parameters)
            return _refuse(parameters, error)
        case Pushed() as pushed:
            return _answered_pushed(pushed, looked)
        case read:
            return _answered(read, looked)


def _first_look(sent: MultiDict[str, str]) -> FirstLook | None:
    """Client, session and children of a browser that has a session, read at once."""
    secret, ids = browser.session_secret(), sent.getlist("client_id")
    if secret is None or len(ids) != 1:
        return None
    if (uri := sent.get("request_uri", "")).startswith(pushed_requests.PREFIX):
        looked = first_look.look_at_pushed(ids[0], secret, uri)
    else:
        # What is asked may stand in an object
        children = "scope" not in sent or "child" in sent["scope"].split()
        looked = first_look.look_at_once(ids[0], secret, children=children)
    if looked is not None:
        browser.note_signed_in(looked.signed_in)
    return looked


def _answered(read: Read, looked: FirstLook | None) -> Response:
    parameters = read.parameters
    try:
        client = server.validated(parameters, read.client)
    except OAuth2Error as error:
        return _refuse(parameters, error)
    try:
        request_ways.check_way(client, pushed=False, signed=read.signed)
        hint = _hinted_subject(parameters.get("id_token_hint"), client)
        auth_request = authorization_request.parse(
            parameters, client, hinted_subject=hint, signed=read.signed
        )
    except OAuth2Error as error:
        error.redirect_uri = parameters["redirect_uri"]
        return _refuse(parameters, error)
    _let_popup(client)
    return proceed(auth_request, client, None, looked.children if looked else None)


def _answered_pushed(pushed: Pushed, looked: FirstLook | None) -> Response:
    """Go on with a request that was pushed; once it is closed, only where its browser is in it."""
    _let_popup(pushed.client)
    if pushed.is_open:
        children = looked.children if looked else None
        return proceed(pushed.request, pushed.client, None, children)
    if (waiting := pushed_before(pushed.request)) is not None:
        return redirect(f"/interaction/{waiting.id}", 303)
    error = InvalidRequestUri()
    error.redirect_uri = pushed.request.redirect_uri
    return _refuse(MultiDict(pushed.request.answering()), error)


def _let_popup(client: OAuthClient) -> None:
    if client.client_metadata.get("allow_popups"):
        headers.keep_opener()


def _to_ourselves(sent: MultiDict[str, str]) -> Response:
    """The same request at our own address, to which the browser brings its cookies. Of a request
    object its parameters go along, sealed: it may hold a hint.
    """
    read = authorization_parameters.read(sent) if "request" in sent else None
    if isinstance(read, Refused):
        read.error.redirect_uri = registered_redirect_uri(read.parameters)
        return _refuse(read.parameters, read.error)
    parameters = read.parameters if isinstance(read, Read) else sent
    crosses = [(name, _crossing(name, each)) for name, each in parameters.items(multi=True)]
    if isinstance(read, Read):
        crosses = [(_UNDERSTOOD, crossing.seal("request", json.dumps(dict(crosses))))]
    return redirect(f"/oauth2/authorize?{urlencode(crosses)}", 303)


def _crossed(sent: MultiDict[str, str]) -> Read | None:
    """What ``_to_ourselves`` understood of a request object a moment ago."""
    if request.method == "POST" or list(sent) != [_UNDERSTOOD]:
        return None
    match crossing.unseal(sent[_UNDERSTOOD]):
        case ["request", str(parameters)]:
            return Read(MultiDict(json.loads(parameters)), signed=True)
    return None


def _crossing(name: str, value: str) -> str:
    """The parameter as our own address may carry it: of a hint what it proves alone."""
    if name != "id_token_hint":
        return value
    claims = logout.hint_claims(value)
    return crossing.seal("hint", claims["aud"], claims["sub"]) if claims else "none-of-ours"


def _hinted_subject(hint: str | None, client: OAuthClient) -> str | None:
    match crossing.unseal(hint) if hint else None:
        case ["hint", client.record.id, str(subject)]:
            return subject
    return logout.hinted_subject(hint, client.record)


def _refuse(parameters: MultiDict[str, str], error: OAuth2Error) -> Response:
    """An error goes back only to a verified address (security rules O1 and O21)."""
    reason = _reason(error)
    _note(parameters, error, error.get_error_description() or reason)
    client = query_client(parameters.get("client_id", ""))
    if not error.redirect_uri or client is None:
        code = _page_of(error, client)
        start = client if code == "invalid_request_uri" else None  # where a parent begins anew
        raise PageError(code, reason=reason, client_id=start and start.get_client_id())
    _let_popup(client)
    mode, state = response_types.mode_of(parameters), _state(parameters)
    silent = parameters.get("prompt") == "none"
    return error_answers.lead_back(client, error, mode, state, reason=reason, silent=silent)


def _state(parameters: MultiDict[str, str]) -> str | None:
    """The state, where there is exactly one that we would have kept."""
    state = parameters.getlist("state")
    fine = len(state) == 1 and len(state[0]) <= authorization_request.LONGEST_STATE
    return state[0] if fine else None


def _reason(error: OAuth2Error) -> str:
    """A sentence of ours about what is wrong; nothing of the request stands in it."""
    if not error.redirect_uri and error.error == "invalid_request" and not error.description:
        return "The redirect_uri is missing or not registered"
    if error.error == "unsupported_response_type":
        return "The response_type is not supported"
    return str(error.description or "")


def _note(parameters: MultiDict[str, str], error: OAuth2Error, reason: str) -> None:
    ids = parameters.getlist("client_id")
    refusals.note("authorize", str(error.error), reason, ids[0] if len(ids) == 1 else None)


def _page_of(error: OAuth2Error, client: OAuthClient | None) -> str:
    if client is None or error.error in {"invalid_client", "unauthorized_client"}:
        return "unknown_client"
    return "invalid_redirect_uri" if error.error != "invalid_request_uri" else error.error
