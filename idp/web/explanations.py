"""What an error page says: what happened, what to do next, and where the way goes on."""

from dataclasses import dataclass
from enum import Enum

from flask_babel import lazy_gettext as _


class WayOn(Enum):
    """The button of an error page."""

    AGAIN = "again"
    """The same page, by GET."""
    HOME = "home"
    """The parent's own page, or sign-in."""
    NONE = "none"
    """Only the application or the school can help."""


@dataclass(frozen=True)
class Explanation:
    """An error in a parent's words."""

    title: str
    text: str
    advice: str
    way_on: WayOn = WayOn.HOME


OAUTH_CODES = {"unknown_client": "invalid_client"}
"""Codes of ours that developers know by another name (RFC 6749 §5.2)."""

_START_AGAIN = _("Go back to your school's site and follow its link again.")
_TELL_SCHOOL = _("Tell your school which link you followed.")
_WAIT = _("Wait a moment, then try again.")

_OF_THE_APPLICATION = Explanation(
    _("The application's request can't be answered"),
    _("The application that sent you here made a request that we can't answer."),
    _("Go back to the application and try again. If this happens again, tell your school."),
    WayOn.NONE,
)

_EXPLANATIONS = {
    "expired_interaction": Explanation(
        _("This page has expired"),
        _("The sign-in was open for too long, or it was begun in another browser."),
        _START_AGAIN,
    ),
    "expired_form": Explanation(
        _("This form has expired"),
        _("The page was open for too long, so what you sent was not accepted."),
        _("Open the page again and send it once more."),
        WayOn.AGAIN,
    ),
    "foreign_form": Explanation(
        _("This form came from another site"),
        _("For your safety we accept forms only from our own pages. Nothing was changed."),
        _START_AGAIN,
    ),
    "cookies_blocked": Explanation(
        _("Your browser blocks cookies"),
        _("Without cookies we can't keep you signed in. We use them for nothing else."),
        _("Allow cookies for this site in your browser's settings, then start again."),
    ),
    "foreign_sign_in": Explanation(
        _("This sign-in was not begun here"),
        _(
            "You came back from another provider, but the way there was not begun in this"
            " browser, or it is over. For your safety we do not go on."
        ),
        _("Go back to your school's site, follow its link and sign in again."),
    ),
    "account_closed": Explanation(
        _("Your account is closed"),
        _("You proved who you are, but the school has closed your account here."),
        _("If that is wrong, contact your school: only the school can change it."),
        WayOn.NONE,
    ),
    "second_factor_needed": Explanation(
        _("A second step is needed here"),
        _("The school's desk opens only after a sign-in in two steps, or with a passkey."),
        _("Sign out on your page, then sign in again: the second step is asked for then."),
    ),
    "unknown_client": Explanation(
        _("Unknown application"),
        _("The application that sent you here is not registered with us."),
        _TELL_SCHOOL,
        WayOn.NONE,
    ),
    "invalid_redirect_uri": Explanation(
        _("Wrong return address"),
        _(
            "The application wanted you to be sent to an address that it has not"
            " registered. To protect you we stop here."
        ),
        _TELL_SCHOOL,
        WayOn.NONE,
    ),
    "no_child": Explanation(
        _("No child at this school"),
        _("Your account is not linked to a child at this school."),
        _("If that is wrong, contact your school: only the school can change it."),
    ),
    "busy": Explanation(
        _("Many people are signing in"),
        _("Just now more people are signing in than we can serve at once."),
        _WAIT,
        WayOn.AGAIN,
    ),
    "database_away": Explanation(
        _("We are away for a moment"),
        _("A part of our service does not answer. Nothing of yours is lost."),
        _WAIT,
        WayOn.AGAIN,
    ),
    "throttled": Explanation(
        _("Too many attempts"),
        _("There were too many attempts in a short time."),
        _WAIT,
        WayOn.AGAIN,
    ),
    "server_error": Explanation(
        _("Something went wrong on our side"),
        _("It is not your fault, and it has been noted."),
        _("Try again. If it happens again, tell your school the reference below."),
    ),
    "not_found": Explanation(
        _("This page does not exist"),
        _("The address may be mistyped, or the page has moved."),
        _("Check the address, or start from your school's site."),
    ),
    "forbidden": Explanation(
        _("This page is not for you"),
        _("You may not open this page."),
        _("If you think that you should, contact your school."),
    ),
    "method_not_allowed": Explanation(
        _("This page can't be opened this way"),
        _("The address belongs to a form and can't be opened by itself."),
        _("Start again from your school's site."),
    ),
    "too_large": Explanation(
        _("That was too much at once"),
        _("What you sent is longer than we accept. Nothing was saved."),
        _("Go back, shorten it and send it again."),
    ),
    "too_slow": Explanation(
        _("That took too long"),
        _("What you sent arrived too slowly, so we stopped waiting. Nothing was saved."),
        _("Go back and send it again, if you can over a faster connection."),
    ),
    "unsupported_media_type": Explanation(
        _("We can't read what was sent"),
        _("It was sent in a format that we don't accept. Nothing was saved."),
        _("Start again from your school's site."),
    ),
    "bad_request": Explanation(
        _("We did not understand this request"),
        _("Something in what your browser sent is not as it should be. Nothing was saved."),
        _("Go back and try again."),
    ),
}
_EXPLANATIONS["invalid_client"] = _EXPLANATIONS["unknown_client"]
_EXPLANATIONS["temporarily_unavailable"] = _EXPLANATIONS["busy"]


def explanation(code: str) -> Explanation:
    """The words for ``code``; an OAuth error code of its own has words for all such."""
    return _EXPLANATIONS.get(code, _OF_THE_APPLICATION)
