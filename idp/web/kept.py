"""Pages that answer a form, and what was typed into it: kept a while, and shown by GET.

A page that answers a POST can't be reloaded, and Back to it shows the browser's « Confirm form
resubmission ». So the answer is a redirect (303, RFC 9110 §15.4.4) to the form's own page with
``?kept=…``: the page that was made, with fresh form tokens, for the person it was made for. Where
that is over, or in another language, it is the page as it is now, with what was typed.
"""

from datetime import timedelta
from typing import Any, Final
from urllib.parse import urlsplit

from flask import Flask, Response, g, redirect, request, session
from flask_wtf.csrf import generate_csrf
from werkzeug.exceptions import MethodNotAllowed

from idp.sessions import submissions
from idp.web import browser, filling, form_key, headers, i18n, kept_for_strangers
from idp.web.form_key import FormKey

PARAMETER: Final = "kept"
LONGEST_TYPED: Final = 64 * 1024
NEVER_KEPT: Final = ("password", "secret", "code", "credential", "csrf_token", "once")
"""Fields whose name holds one of these are not kept."""

OF_THE_PAGE: Final = frozenset({"Content-Type", "Content-Length", "Retry-After"})
_ID_LENGTH: Final = 24


def init_app(app: Flask) -> None:
    """Answer for kept pages before their views do, and write what was typed into forms."""
    app.before_request(_kept_page)
    app.context_processor(_context)
    app.after_request(_fill)


def address(submission_id: str) -> str:
    """Where the answer to the present form is shown: under its own path, as if it were the answer,
    so that a form on it that names no address goes where it went.
    """
    return f"{request.path}?{PARAMETER}={submission_id}"


def page_of_form(submission_id: str) -> str:
    """The page on which the present form stands, with what was typed."""
    return f"{i18n.current_page()}?{PARAMETER}={submission_id}"


def lifetime(response: Response) -> timedelta:
    """How long a page, and what was typed, is kept: a secret on it shorter than a text."""
    if response.status_code == 429:
        return timedelta(minutes=1)
    return submissions.KEPT if response.status_code >= 300 else timedelta(minutes=10)


def page(response: Response, submission_id: str) -> dict[str, Any]:
    """What is kept of a page; its form tokens are left out, and put in fresh when it is shown."""
    html = response.get_data(as_text=True)
    for fresh, left_out in _placeholders(submission_id):
        if fresh:
            html = html.replace(fresh, left_out)
    signed_in = browser.signed_in()
    return {
        "paths": [request.path, i18n.current_page()],
        "html": html,
        "status": response.status_code,
        "retry_after": response.headers.get("Retry-After"),
        "locale": session.get("locale"),
        "session": signed_in.session.id if signed_in else None,
        "form_leaves": bool(g.get("form_leaves")),
        "passkeys": bool(g.get("passkeys")),
        "opener": bool(g.get("keeps_opener")),
    }


def sent_for(response: Response, location: str) -> Response:
    """The redirect in the page's place, with what else its view wanted to tell the browser."""
    answer: Response = redirect(location, 303)  # type: ignore[assignment]
    for name, value in response.headers:
        if name not in OF_THE_PAGE:
            answer.headers[name] = value
    return answer


def typed_now(key: FormKey) -> dict[str, Any] | None:
    """What was typed into the present request's form, as far as it may be kept."""
    fields = [
        each
        for each in request.form.items(multi=True)
        if not any(word in each[0] for word in NEVER_KEPT)
    ]
    if sum(len(name) + len(value) for name, value in fields) > _longest(key):
        return None
    return {"path": request.path, "fields": fields, "key": [key.random, key.owner]}


def _longest(key: FormKey) -> int:
    if browser.signed_in() is not None:
        return LONGEST_TYPED
    if key.owner is not None:  # nobody can tell by now whether it is one
        return kept_for_strangers.LONGEST_OF_THE_SIGNED_OUT
    return kept_for_strangers.LONGEST_TYPED


def _context() -> dict[str, str]:
    """The same page in another language keeps what was typed, also after a form."""
    claimed = g.get("submission")
    return {"language_next": page_of_form(claimed)} if claimed else {}


def field(name: str) -> str | None:
    """What is kept of one field of the form that the present page shows again."""
    fields = g.get("typed", {}).get("fields", [])
    return next((value for each, value in fields if each == name), None)


def _kept_page() -> Response | None:
    wanted = request.args.get(PARAMETER, "")
    if request.method not in {"GET", "HEAD"} or len(wanted) != _ID_LENGTH or not browser.has_id():
        return None
    submission = submissions.kept(wanted, browser.browser_id())
    if submission is None:
        return _instead(wanted)
    signed_in = browser.signed_in()
    made = (submission.answer or {}).get("page")
    if made and _may_be_shown(made, signed_in.session.id if signed_in else None):
        return _made_fresh(made, wanted)
    account_id = signed_in.account.id if signed_in else None
    if submission.typed and FormKey(*submission.typed["key"]).is_of(account_id):
        g.typed = submission.typed
    return _instead(wanted)


def _instead(wanted: str) -> Response | None:
    """Where the page is over and a form alone goes to this path: the page of that form."""
    if not isinstance(request.routing_exception, MethodNotAllowed):
        return None
    return redirect(f"{i18n.page_above(request.path)}?{PARAMETER}={wanted}", 303)  # type: ignore[return-value]


def _may_be_shown(made: dict[str, Any], session_id: str | None) -> bool:
    return (
        request.path in made["paths"]
        and made["locale"] == session.get("locale")
        and made["session"] in {None, session_id}
    )


def _made_fresh(made: dict[str, Any], submission_id: str) -> Response:
    html = made["html"]
    once_key, csrf_token = _placeholders(submission_id)
    html = html.replace(once_key[1], form_key.of_page()).replace(csrf_token[1], generate_csrf())
    if made["passkeys"]:
        headers.allow_passkeys()
    if made.get("opener"):
        headers.keep_opener()
    if made.get("form_leaves"):
        headers.let_form_leave()
    response = Response(html, made["status"], mimetype="text/html")
    if made["retry_after"]:
        response.headers["Retry-After"] = made["retry_after"]
    return response


def _placeholders(submission_id: str) -> list[tuple[str, str]]:
    return [
        (str(g.get("once_key", "")), f"once-key-of-{submission_id}"),
        (str(g.get("csrf_token", "")), f"form-token-of-{submission_id}"),
    ]


def _fill(response: Response) -> Response:
    typed = g.get("typed")
    if typed is None or response.mimetype != "text/html" or response.status_code != 200:
        return response
    html = response.get_data(as_text=True)
    form_path = urlsplit(typed["path"]).path
    fields = [(name, value) for name, value in typed["fields"]]
    response.set_data(filling.filled(html, form_path, fields, page_path=request.path))
    return response
