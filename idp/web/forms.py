"""Forms: where they may come from, what was typed, and what is wrong with it."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import wraps
from typing import Any, Final
from urllib.parse import urlsplit

from flask import Flask, current_app, flash, make_response, redirect, request
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from flask_babel import lazy_gettext, ngettext
from flask_wtf import CSRFProtect
from flask_wtf.csrf import CSRFError, validate_csrf

from idp.credentials.passwords import WeakPassword
from idp.people import addresses
from idp.settings import current as settings
from idp.web import bodies, errors, once
from idp.web.errors import PageError

View = Callable[..., ResponseReturnValue]

csrf = CSRFProtect()
"""Every POST needs the form token, except views that say ``@csrf.exempt``."""

PROTOCOL_PREFIX = "/oauth2/"
"""Applications post here from their own origins; the protocol has its own proofs."""

LONGEST_TEXT = 254
NO_ADDRESS: Final = lazy_gettext(
    "This is not an e-mail address that mail can reach. Check how it is written, without accents"
    " before the @."
)
NO_NAME: Final = lazy_gettext("Type a name: the first name, the family name, or both.")


def init_app(app: Flask) -> None:
    """Refuse forms of other sites; answer what came before; refuse forms without our token."""
    # Flask-WTF would look at Referer, which our own Referrer-Policy keeps browsers from sending.
    app.config["WTF_CSRF_SSL_STRICT"] = False
    app.before_request(refuse_foreign_forms)
    app.before_request(bodies.receive_upload)  # before the token in it is looked for
    app.before_request(_once)
    csrf.init_app(app)
    app.register_error_handler(CSRFError, _not_accepted)


def refuse_foreign_forms() -> None:
    """Refuse a form that another site sent, whatever token it carries (security rule S3).

    Our ``Referrer-Policy`` turns the Origin of our own forms into ``null`` (Fetch §3.2), so
    ``Sec-Fetch-Site`` decides where the browser sends it.
    """
    if request.method in {"GET", "HEAD", "OPTIONS"} or request.path.startswith(PROTOCOL_PREFIX):
        return
    if request.headers.get("Sec-Fetch-Site", "same-origin") not in {"same-origin", "none"}:
        raise PageError("foreign_form", 403)
    if request.headers.get("Origin", "null") not in {"null", *_own_origins()}:
        raise PageError("foreign_form", 403)


def _once() -> ResponseReturnValue | None:
    if request.method != "POST" or request.path.startswith(PROTOCOL_PREFIX):
        return None
    return once.claim_or_answer()


def _not_accepted(_error: CSRFError) -> ResponseReturnValue:
    """A page that was open for too long: the same with what was typed, rather than a dead end."""
    page = once.page_again()
    if not once.keeps_what_was_typed() or page.startswith("/?"):
        return errors.answer(errors.form_error())
    flash(open_for_too_long(), "problem")
    return redirect(page, 303)


def open_for_too_long() -> str:
    """What is said of a form whose token has expired; nothing of it has been acted on."""
    return str(_("This page was open for too long. Please check what you typed and send it again."))


def with_token_of_any_age(view: View) -> View:
    """Let the form token of a view count as long as the browser keeps its cookie: for an act that
    nobody should have to press twice. The token proves as ever that the page was this browser's.
    """

    @wraps(view)
    def checked(*args: Any, **values: Any) -> ResponseReturnValue:
        try:
            age = int(current_app.permanent_session_lifetime.total_seconds())
            validate_csrf(request.form.get("csrf_token"), time_limit=age)
        except ValueError:  # what WTForms calls a ValidationError is one
            raise CSRFError from None
        return view(*args, **values)

    csrf.exempt(checked)
    return checked


def _own_origins() -> set[str]:
    issuer = urlsplit(settings().issuer)
    # The address in the browser's bar counts as well: a foreign page can't forge Host.
    return {f"{issuer.scheme}://{issuer.netloc}", request.host_url.rstrip("/")}


@dataclass
class Form:
    """What a visitor typed, and the problems with it, by field."""

    values: dict[str, str] = field(default_factory=dict)
    problems: dict[str, str] = field(default_factory=dict)
    notice: str = ""
    """A sentence about the form as a whole."""

    @classmethod
    def read(cls, *names: str) -> "Form":
        """The named fields of the posted form; unknown fields are ignored.

        Raises ``PageError`` where a field comes twice (which one would count?).
        """
        if any(len(request.form.getlist(name)) > 1 for name in names):
            raise PageError("bad_request")
        return cls({name: request.form.get(name, "") for name in names})

    def __getitem__(self, name: str) -> str:
        return self.values[name]

    def problem(self, name: str, sentence: str) -> None:
        """Note what is wrong with a field; the first word on it stands."""
        self.problems.setdefault(name, sentence)

    def require(self, name: str, sentence: str) -> None:
        """The field must not be empty."""
        if not self.values[name].strip():
            self.problem(name, sentence)

    def limit(self, name: str, most: int = LONGEST_TEXT) -> None:
        """The field must be at most ``most`` characters long and hold no control characters."""
        if len(self.values[name]) > most:
            self.problem(name, _("This is too long: at most %(most)d characters.", most=most))
        if any(ord(character) < 32 for character in self.values[name].strip()):
            self.problem(
                name, _("This holds characters that can't be typed. Please type it again.")
            )

    def ask_about_slip(self, name: str) -> None:
        """Ask once where an address looks mistyped; the same one again is what was meant."""
        typed = self.values[name].strip()
        suggested = addresses.meant(typed)
        if suggested is None:
            return
        self.values[f"{name}_as_typed"] = typed
        if request.form.get(f"{name}_as_typed") != typed:
            self.problem(
                name,
                _(
                    "Is it not rather %(suggested)s? If the address is right as you typed it, send"
                    " it once more.",
                    suggested=suggested,
                ),
            )

    def shown(self, name: str) -> str:
        """What was typed, as it may stand in the page again; never used for passwords."""
        kept = "".join(c for c in self.values.get(name, "") if c.isprintable())
        return kept[:LONGEST_TEXT]

    @property
    def status(self) -> int:
        return 400 if self.problems or self.notice else 200


def check_new_password(form: Form, first: str, again: str) -> None:
    """Both fields are filled and equal; whether it is strong is for the service to say."""
    if not form[first]:
        form.problem(first, _("Type a new password."))
    elif not form[again]:
        form.problem(again, _("Type the new password a second time."))
    elif form[first] != form[again]:
        form.problem(again, _("The two passwords are not the same. Type both again."))


def weakness(weak: WeakPassword) -> str:
    """Why a new password is refused, and what would be accepted."""
    match weak.code:
        case "too_short":
            words = ngettext(
                "This password is too short. Use at least %(num)d character.",
                "This password is too short. Use at least %(num)d characters.",
                settings().password_minimum,
            )
        case "too_long":
            words = ngettext(
                "This password is too long. Use at most %(num)d character.",
                "This password is too long. Use at most %(num)d characters.",
                settings().password_maximum,
            )
        case "common":
            words = _(
                "Many people use this password, so it is the first to be guessed. Choose another."
            )
        case "contains_name":
            words = _("This password contains a name or word that belongs to you. Choose another.")
        case _other:
            words = _(
                "This password is easily guessed."
                " Several words that don't belong together are better."
            )
    return str(words)


def wrong_code() -> str:
    """What is said of a code that is not right, or no longer."""
    return str(
        _("This code is wrong, or it was used already. Wait for the next one, then try again.")
    )


def too_many(
    form: Form, seconds: int, page: Callable[[], ResponseReturnValue]
) -> ResponseReturnValue:
    """The page again, with how long to wait (security rule E4)."""
    form.notice = _(
        "There were too many attempts. Wait %(time)s, then try again.", time=in_words(seconds)
    )
    response = make_response(page())
    response.status_code = 429
    response.headers["Retry-After"] = str(seconds)
    return response


def in_words(seconds: int) -> str:
    """A waiting time that a person can use, rounded up."""
    if seconds < 60:
        return str(ngettext("%(num)d second", "%(num)d seconds", max(seconds, 1)))
    return str(ngettext("%(num)d minute", "%(num)d minutes", -(-seconds // 60)))


def only(names: Iterable[str]) -> Form:
    """An empty form with these fields."""
    return Form(dict.fromkeys(names, ""))
