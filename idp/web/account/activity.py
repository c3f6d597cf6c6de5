"""The activity of an account, its events in words that its owner understands."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from flask import render_template, request
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _

from idp import settings
from idp.audit.event_kinds import Depending
from idp.audit.models import AuditEvent
from idp.audit.vocabulary import VOCABULARY
from idp.clients import registration
from idp.privacy import activity as kept
from idp.sessions.service import SignedIn
from idp.web.account.blueprint import blueprint, guardian_only
from idp.web.account.sessions import signed_in_how
from idp.web.i18n import translated
from idp.web.signin.provider_offers import label_of

GREATEST_ID = 2**63 - 1


@dataclass(frozen=True)
class Activity:
    """One line of the page of activity; ``warning``: its owner should have a look."""

    at: datetime
    words: str
    device: str = ""
    warning: bool = False


@blueprint.get("/account/history", endpoint="history")
@guardian_only
def activity_page(signed_in: SignedIn) -> ResponseReturnValue:
    """One page; ``before`` is the number of the event that the page before ended with."""
    page = kept.page(signed_in.account.id, before())
    return render_template(
        "account/history.html",
        activities=[describe(event) for event in page.events],
        older=page.older,
        first=request.args.get("before") is None,
        days=settings.current().audit_retention.days,
    )


def before() -> int | None:
    """``?before=``: whatever is no number of an event asks for the newest (rule A7)."""
    text = request.args.get("before", "")
    number = int(text) if text.isascii() and text.isdigit() and len(text) < 20 else None
    return number if number is not None and number <= GREATEST_ID else None


def describe(event: AuditEvent) -> Activity:
    """The event in words; one that has none of its own is told as a change."""
    kind = VOCABULARY.get(event.event)
    surprising = kind is not None and kind.is_surprising
    warning = event.result != "ok" or surprising
    return Activity(event.at, _words(event), str(_detail(event).get("device") or ""), warning)


def _words(event: AuditEvent) -> str:
    if event.event == "sign_in":
        return signed_in_how(_detail(event).get("amr") or ())
    kind = VOCABULARY.get(event.event)
    words = kind.own if kind is not None else ""
    if isinstance(words, Depending):
        held = {**_detail(event), "result": event.result}
        words = words.of(held.get(words.field))
    if not words:
        return str(_("Your account was changed"))
    return translated(words, **_names(event, words))


def _names(event: AuditEvent, words: str) -> dict[str, str]:
    """What the words name; asked for only where they do."""
    if "%(provider)s" in words:
        return {"provider": label_of(str(_detail(event).get("provider") or ""))}
    if "%(application)s" in words:
        client = registration.find(event.client_id or "")
        return {"application": client.name if client else ""}
    return {}


def _detail(event: AuditEvent) -> dict[str, Any]:
    return event.detail or {}
