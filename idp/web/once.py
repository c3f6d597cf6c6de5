"""Twice is once: the second of two equal forms gets the answer of the first (security rule N5).

A button that is pressed twice sends its form twice; browsers show the second answer and drop the
first, its cookies with it. So every form of ours carries a random key (``csrf()`` in
``components.html`` writes it beside the form token). Who claims key and fields first does the act;
an equal form that comes meanwhile, in whichever worker, waits for the answer and gets the same,
cookies included. Other fields under the same key – Back, and a correction – are another form.

An answer that is a page is kept and sent for by a redirect (``idp.web.kept``).
"""

import json
import logging
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from time import sleep
from typing import Any, Final

from flask import Flask, Response, g, redirect, request, session
from flask.json.tag import TaggedJSONSerializer
from sqlalchemy.exc import SQLAlchemyError

from idp import clock, concurrency_limit
from idp.database import release_connection
from idp.sessions import submissions
from idp.web import browser, form_key, i18n, kept, kept_for_strangers
from idp.web.errors import TRY_AGAIN_IN, PageError

log = logging.getLogger(__name__)

PAUSE: Final = 0.1  # seconds between two looks at an equal form that is at work
LOOKS: Final = 150

SAME_ANSWER: Final = timedelta(hours=1)
SAME_COOKIES: Final = timedelta(minutes=10)
"""For so long an equal form gets an answer again that began a session."""
SAME_REFUSAL: Final = timedelta(seconds=10)
"""A double click; after that a refused form is judged again, since the reason may be over."""


def init_app(app: Flask) -> None:
    """Keep the answers of forms that carry a key, as their views made them."""
    kept_for_strangers.init_app(app)
    app.after_request(_keep_answer)


def claim_or_answer() -> Response | None:
    """Before the form token is looked at: the answer that an equal form got, if one came before.

    Who knows the key has read the page, in this browser: that is what the form token proves too.
    """
    sent = form_key.sent()
    if sent is None or not browser.has_id() or not _may_be_kept():
        return None
    whole, this_browser = _whole(sent.random), browser.browser_id()
    claimed = submissions.claim(whole, this_browser)
    for _look in range(LOOKS):
        if claimed is not None:
            g.submission = claimed
            return None
        seen = submissions.find(whole, this_browser)
        if seen is None:
            claimed = submissions.claim(whole, this_browser)
            continue
        if seen.answer is not None and seen.answer["until"] > _text(clock.now()):
            return _again(seen.answer)
        if seen.answer is not None or seen.is_abandoned:
            claimed = seen.id if submissions.claim_again(seen) else None
            continue
        release_connection()
        with concurrency_limit.released():
            sleep(PAUSE)
    raise PageError("busy", 503, retry_after=TRY_AGAIN_IN)


def _may_be_kept() -> bool:
    """A form that no page of ours asks for is nobody's; a stranger's, as long as there is room."""
    if request.routing_exception is not None:
        return False
    if browser.signed_in() is not None:
        return True
    return kept_for_strangers.may_be_kept(browser.client_address())


def page_again() -> str:
    """The path of the page on which the present request's form stands, or of the present page.

    What was typed is kept for it, for an hour; ``kept`` writes it into the page.
    """
    claimed = g.get("submission")
    if claimed is None or (sent := form_key.sent()) is None:
        return i18n.current_page()
    g.typed_to_keep = kept.typed_now(sent)
    return kept.page_of_form(claimed)


def keeps_what_was_typed() -> bool:
    """Whether ``page_again`` has found something to keep."""
    return bool((g.get("typed_to_keep") or {}).get("fields"))


def _keep_answer(response: Response) -> Response:
    claimed = g.pop("submission", None)
    if claimed is None:
        return response
    try:
        return _kept(claimed, response)
    except SQLAlchemyError as error:
        log.error("an answer is not kept: %s", type(error).__name__)
        return response


def _kept(claimed: str, response: Response) -> Response:
    is_page = response.mimetype == "text/html" and not response.is_streamed
    goes_on = response.status_code in {302, 303}
    if response.status_code >= 500 or not (is_page or goes_on):
        submissions.give_back(claimed)
        return response
    sent, typed = form_key.sent(), g.get("typed_to_keep")
    answer: dict[str, Any] = {
        "location": response.location if goes_on else kept.address(claimed),
        "headers": [each for each in response.headers if each[0] == "Clear-Site-Data"],
        "cookies": dict(browser.cookies_to_set()),
        "session": TaggedJSONSerializer().dumps(dict(session)) if session.modified else None,
    }
    if not goes_on:
        answer["page"] = kept.page(response, claimed)
        typed = kept.typed_now(sent) if sent and response.status_code >= 400 else None
    refused = typed is not None or response.status_code >= 400
    answer["until"] = _text(clock.now() + _same_for(answer, refused=refused))
    submissions.answered(
        claimed, browser.browser_id(), answer, typed=typed, kept=kept.lifetime(response)
    )
    return response if goes_on else kept.sent_for(response, answer["location"])


def _same_for(answer: dict[str, Any], *, refused: bool) -> timedelta:
    if refused:
        return SAME_REFUSAL
    return SAME_COOKIES if answer["cookies"] or answer["session"] else SAME_ANSWER


def _again(answer: dict[str, Any]) -> Response:
    browser.cookies_to_set().update(answer["cookies"])
    if answer["session"] is not None:
        session.clear()
        session.update(TaggedJSONSerializer().loads(answer["session"]))
    response: Response = redirect(answer["location"], 303)  # type: ignore[assignment]
    for name, value in answer["headers"]:
        response.headers[name] = value
    return response


def _whole(random: str) -> str:
    """Key, browser, address and all fields in one: what makes two forms equal.

    A password among the fields is as safe in its hash as the key is random.
    """
    fields = [each for each in request.form.items(multi=True) if each[0] != "csrf_token"]
    files = [[name, f.filename, _digest(f.stream)] for name, f in request.files.items(multi=True)]
    return json.dumps([random, browser.browser_id(), request.full_path, fields, files])


def _digest(stream: Any) -> str:
    digest = sha256()
    while piece := stream.read(64 * 1024):
        digest.update(piece)
    stream.seek(0)
    return digest.hexdigest()


def _text(time: datetime) -> str:
    return time.astimezone(UTC).isoformat(timespec="microseconds")
