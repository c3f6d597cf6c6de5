"""The language of a page: the visitor's choice, kept; else what the request and browser say."""

from urllib.parse import urlsplit

import flask_babel
from flask import Blueprint, Flask, current_app, g, redirect, request, session
from flask_babel import Babel, get_locale, refresh
from werkzeug import Response
from werkzeug.exceptions import HTTPException
from werkzeug.routing import RequestRedirect

from idp.settings import LOCALES, current
from idp.web.secret_addresses import MAILED_LINKS

blueprint = Blueprint("language", __name__)

NAMES = {"fr": "Français", "nl": "Nederlands", "de": "Deutsch", "en": "English"}
"""Each language in its own words."""

LONGEST_PATH = 4000


def init_app(app: Flask) -> None:
    """Choose a language for each request and give templates ``locale`` and ``languages``."""
    Babel(app, locale_selector=select)

    @app.context_processor
    def _context() -> dict[str, object]:
        locale = str(get_locale())
        return {
            "locale": locale,
            "languages": offered(locale),
            "language_next": current_page(),
            "this_page": current_page(),
        }


def select() -> str:
    """The visitor's choice, then what application and account prefer, then what the browser does.

    Whoever prefers nothing that the school's pages offer gets the school's own language.
    """
    preferences = [session.get("locale"), *g.get("ui_locales", [])]
    for set_preferred_locale in preferences:
        if locale := supported(set_preferred_locale):
            return locale
    languages = _of_school() or LOCALES
    own = _of_school()[:1] or (current().default_locale,)
    return request.accept_languages.best_match(languages) or own[0]


def offered(locale: str) -> dict[str, str]:
    """The languages to choose from, by their own names: those of the school whose page it is.

    The page's present language is among them, whoever prefers it.
    """
    languages = _of_school() or LOCALES
    return {code: name for code, name in NAMES.items() if code in {*languages, locale}}


def _of_school() -> tuple[str, ...]:
    """The languages of the school whose face the page has, its own first."""
    branding = g.get("branding")
    return branding.languages if branding is not None and branding.school else ()


def set_preferred_locale(tags: str | None) -> None:
    """Note the languages that somebody asks for this request's pages, as BCP 47 tags.

    ``tags``: separated by spaces, the dearest first (OpenID Connect Core §3.1.2.1,
    ``ui_locales``). Earlier preferences of the request go first.
    """
    g.ui_locales = [*g.get("ui_locales", []), *(tags or "").split()]
    refresh()


def supported(tag: object) -> str | None:
    """Our language for a BCP 47 tag: ``fr`` for ``fr-BE``; None where we speak no such."""
    language = str(tag or "").replace("_", "-").partition("-")[0].lower()
    return language if language in LOCALES else None


@blueprint.post("/language")
def choose() -> Response:
    """Keep the visitor's language in the browser's cookie and show the page again."""
    if chosen := supported(request.form.get("locale")):
        session.permanent = True
        session["locale"] = chosen
    return redirect(own_path(request.form.get("next")), 303)


def current_page() -> str:
    """The path that shows the present page again by GET, without a secret in it."""
    if request.endpoint in MAILED_LINKS:
        return "/"
    if request.method == "GET":
        return own_path(request.full_path.rstrip("?"))
    return page_above(request.path)


def page_above(path: str) -> str:
    """The page that a form stands on which goes to ``path``: there, or above it."""
    while path and own_path(path) == "/":
        path = path.rpartition("/")[0]
    return path or "/"


def own_path(target: str | None) -> str:
    """``target`` if it is a page of ours that answers GET, else ``/`` (security rule S5)."""
    if not target or len(target) > LONGEST_PATH or not target.isprintable() or "\\" in target:
        return "/"
    parts = urlsplit(target)
    if parts.scheme or parts.netloc or not target.startswith("/") or target.startswith("//"):
        return "/"
    return target if _answers_get(parts.path) else "/"


def _answers_get(path: str) -> bool:
    try:
        current_app.url_map.bind("localhost").match(path, method="GET")
    except (HTTPException, RequestRedirect):
        return False
    return True


def translated(msgid: str, **names: str) -> str:
    """A sentence that was marked for the catalogues where it stands (``audit.vocabulary``)."""
    return str(flask_babel.gettext(msgid, **names))
