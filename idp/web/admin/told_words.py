"""What the desk says about what applications were told, as whole sentences."""

from typing import Final

from flask_babel import gettext as _
from flask_babel import lazy_gettext
from markupsafe import Markup, escape

from idp.deliveries.models import EventDelivery
from idp.web.dates import moment

_SESSION: Final = lazy_gettext("A session ended")
OF: Final = {
    "logout": _SESSION,
    "session-replaced": _SESSION,
    "session-revoked": _SESSION,
    "guardianship-ended": lazy_gettext("The guardianship ended"),
    "consent-withdrawn": lazy_gettext("The permission was withdrawn"),
    "account-disabled": lazy_gettext("The account was disabled"),
    "account-enabled": lazy_gettext("The account was enabled again"),
}
"""Of what, by the event."""
_ANSWER: Final = "\ufffc"
"""Where the application's answer stands in a sentence."""


def fate(row: EventDelivery) -> Markup:
    """Whether it was told, and when; or why not. What the application answered stands apart from
    our words, in whichever direction it is written.
    """
    answer = Markup("<bdi>{}</bdi>").format(row.answer or "")
    return escape(_sentence(row)).replace(_ANSWER, answer)


def _sentence(row: EventDelivery) -> str:
    if row.status == "told" and row.finished_at is not None:
        return str(_("told on %(when)s", when=moment(row.finished_at)))
    if row.status == "waiting" and not row.attempts:
        return str(_("not told yet"))
    words: dict[str, str] = {
        "waiting": _(
            "not told yet (tries: %(tries)s); the last answer was: %(answer)s",
            tries=row.attempts,
            answer=_ANSWER,
        ),
        "refused": _("refused by the application: %(answer)s", answer=_ANSWER),
        "given_up": _("given up after a day; the last answer was: %(answer)s", answer=_ANSWER),
        "outdated": _("not told any more: the application knows of a later sign-in"),
    }
    return words.get(row.status) or str(_("no longer wanted by the application"))
