"""Facebook's callbacks: a person removed our app, or wants their data deleted.

Both come from Facebook's servers, signed with the app's secret, and both end the link. The
account is the school's, and stays.
"""

import logging
import re
import secrets

from flask import Response, jsonify, render_template, request, url_for
from flask.typing import ResponseReturnValue
from sqlalchemy import select

from idp import settings
from idp.audit import events
from idp.database import db, keyed_hash, transaction
from idp.federation import providers
from idp.federation.identity import WrongAnswer
from idp.federation.models import DeletionRequest
from idp.lifecycle import federation
from idp.web.errors import PageError
from idp.web.signin.blueprint import provider_callbacks, provider_pages
from idp.web.signin.provider_offers import label_of

log = logging.getLogger(__name__)


@provider_callbacks.post("/federation/facebook/deletion")
def deletion() -> ResponseReturnValue:
    """The data-deletion callback; answers where a person may read what became of it."""
    ended = _end_link()
    code = secrets.token_urlsafe(16)
    with transaction() as writes:
        writes.add(
            DeletionRequest(code_hash=_code_hash(code), provider="facebook", link_ended=ended)
        )
        events.record("deletion_requested", provider="facebook", found=ended)
    path = url_for("federation.deletion_status", code=code)
    return jsonify(url=f"{settings.current().issuer}{path}", confirmation_code=code)


@provider_callbacks.post("/federation/facebook/deauthorize")
def deauthorize() -> ResponseReturnValue:
    """The deauthorize callback: somebody removed our app in their Facebook settings."""
    _end_link()
    return Response(status=204)


@provider_pages.get("/federation/deletion/<code>")
def deletion_status(code: str) -> ResponseReturnValue:
    """What became of a request, for whoever holds its code."""
    deletion = None
    if re.fullmatch(r"[\w-]{20,30}", code, re.ASCII):
        query = select(DeletionRequest).where(DeletionRequest.code_hash == _code_hash(code))
        deletion = db.session.scalars(query).one_or_none()
    if deletion is None:
        raise PageError("not_found", 404)
    return render_template(
        "federation/deletion.html",
        label=label_of(deletion.provider),
        when=deletion.created_at,
        ended=deletion.link_ended,
        code=code,
    )


def _end_link() -> bool:
    provider = providers.facebook()
    if provider is None:
        raise PageError("not_found", 404)
    posted = request.form.getlist("signed_request")
    try:
        if len(posted) != 1:
            raise WrongAnswer("no signed_request")
        subject, signed_at = provider.signed_subject(posted[0])
    except WrongAnswer as wrong:
        # Anybody can send this: a line in the log, not a row for ever in the audit log.
        log.warning("a callback of facebook is refused: %s", wrong.reason)
        raise PageError("bad_request", 400) from None
    return federation.end_by_provider(provider.settings.issuer, subject, signed_at)


def _code_hash(code: str) -> str:
    return keyed_hash("deletion code", code)
