"""The logout endpoint (OpenID Connect RP-Initiated Logout 1.0)."""

from dataclasses import replace
from typing import Final
from urllib.parse import urlencode

from flask import make_response, redirect, render_template, request, url_for
from itsdangerous import BadSignature, URLSafeTimedSerializer
from werkzeug.datastructures import MultiDict
from werkzeug.wrappers import Response

from idp import settings
from idp.clients import registration
from idp.lifecycle import self_registration
from idp.oidc import logout as rules
from idp.oidc import refusals
from idp.oidc.requests import FORM, with_values
from idp.web import branding, browser, headers
from idp.web.errors import PageError
from idp.web.protocol import answers, crossing
from idp.web.protocol.blueprint import blueprint, endpoints

_ASK_FOR = 600  # seconds that the question stays open
_CROSSING: Final = "understood"
"""What a form that crossed sites asked for, as we understood it, on its way to ourselves."""


@endpoints.route("/oauth2/logout", methods=["GET", "POST"])
def logout() -> Response:
    """Sign out at once where the hint proves who asks; otherwise ask the guardian."""
    if request.method == "POST" and request.mimetype != FORM:
        raise PageError("unsupported_media_type", 415)  # RP-Initiated Logout §2
    parameters = with_values(request.form if request.method == "POST" else request.args)
    wanted = _crossed(parameters) or _read(parameters)
    if request.method == "POST" and not browser.has_cookies():
        return redirect(f"/oauth2/logout?{urlencode({_CROSSING: _sealed(wanted)})}", 303)
    if wanted.client is not None and wanted.client.metadata_.get("allow_popups"):
        headers.keep_opener()
    # A session that has run out may be ended, too: applications go on by it
    lasting = browser.not_signed_out()
    if lasting is None and _is_strangers(wanted):
        wanted = replace(wanted, return_uri=None)
    if wanted.needs_no_question(lasting):
        return _sign_out(wanted.return_uri, by_page=False)
    if lasting is None:  # nothing to ask about, and no reason to keep anybody here
        return _leave(wanted.return_uri, by_page=False, problem=wanted.problem)
    if wanted.client is not None:
        branding.use(branding.of_application(wanted.client))
    else:
        _use_school_of_guardian()
    signed = _serializer().dumps(wanted.return_uri) if wanted.return_uri else ""
    return make_response(
        render_template("protocol/logout.html", request_value=signed, problem=wanted.problem)
    )


@blueprint.post("/logout/confirm")
def confirm() -> Response:
    """The guardian's answer to the question."""
    if request.form.get("decision") == "stay":
        return redirect("/", 303)
    try:
        return_uri = _serializer().loads(request.form.get("request", ""), max_age=_ASK_FOR)
    except BadSignature:
        return_uri = None
    return _sign_out(return_uri, by_page=True)


def _read(parameters: MultiDict[str, str]) -> rules.LogoutRequest:
    """What an application asks for; what is refused of it is noted. Raises ``PageError``."""
    if any(len(values) > 1 for _name, values in parameters.lists()):
        # Which of two is meant is anybody's guess (RFC 6749 §3.1, rules O2 and N7)
        refusals.note("logout", "invalid_request", "A parameter is repeated", None)
        raise PageError("bad_request")
    wanted = rules.read(parameters)
    if wanted.problem:
        refusals.note("logout", "invalid_request", wanted.problem, _client_of(wanted))
    return wanted


def _sealed(wanted: rules.LogoutRequest) -> str:
    known = (_client_of(wanted), wanted.subject, wanted.return_uri, wanted.problem)
    return crossing.seal("logout", *known)


def _crossed(parameters: MultiDict[str, str]) -> rules.LogoutRequest | None:
    """What ``_sealed`` says, where it came by our own redirect a moment ago."""
    if request.method == "POST" or list(parameters.keys()) != [_CROSSING]:
        return None
    match crossing.unseal(parameters[_CROSSING]):
        case ["logout", str(client_id), subject, return_uri, str(problem)]:
            client = registration.find(client_id)
            return rules.LogoutRequest(client, subject, return_uri, problem) if client else None
    return None


def _sign_out(return_uri: str | None, *, by_page: bool) -> Response:
    _use_school_of_guardian()
    frames = browser.sign_out()
    response = _leave(return_uri, by_page=by_page)
    if frames and by_page:  # a page that answers a form is kept without its policy (rule N5)
        sealed_frames = crossing.seal("frames", return_uri, *frames)
        school = branding.current().school
        response = redirect(url_for("account.signed_out", school=school, told=sealed_frames), 303)
    elif frames:
        response = signed_out(frames, return_uri)
    # Rule S6: what the back button would show is gone from the browser's cache.
    response.headers["Clear-Site-Data"] = '"cache"'
    return response


def signed_out(frames: list[str], return_uri: str | None = None) -> Response:
    """The page that says so and loads what applications want to be told by (Front-Channel Logout
    1.0 §3); it goes on once they are there, or after three seconds.
    """
    headers.let_frames_load(frames)
    page = render_template(
        "protocol/logged_out.html", frames=frames, address=return_uri, problem=""
    )
    return make_response(page)


def _leave(return_uri: str | None, *, by_page: bool, problem: str = "") -> Response:
    """Back to the application, or to a page that says that nobody is signed in."""
    if return_uri is None:
        return make_response(render_template("protocol/logged_out.html", problem=problem))
    return answers.leave_for(return_uri) if by_page else redirect(return_uri, 303)


def _client_of(wanted: rules.LogoutRequest) -> str | None:
    return wanted.client.id if wanted.client else None


def _is_strangers(wanted: rules.LogoutRequest) -> bool:
    """Whether nobody has vetted the address: a stranger's link must not bounce off us (RFC 9700
    §4.11.2, docs/decisions/silent-errors.md).
    """
    return wanted.client is not None and self_registration.is_strangers(wanted.client)


def _use_school_of_guardian() -> None:
    if (lasting := browser.not_signed_out()) is not None:
        branding.use_school_of(lasting.account.id)


def _serializer() -> URLSafeTimedSerializer:
    return URLSafeTimedSerializer(settings.current().session_secret.oldest_first, salt="logout")
