"""What the desk says about what applications were told, as whole sentences."""

from typing import Final

from flask_babel import gettext as _
from flask_babel import lazy_gettext

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
}
"""Of what, by the event."""


def fate(row: EventDelivery) -> str:
    """Whether it was told, and when; or why not."""
    answer = row.answer or ""
    if row.status == "told" and row.finished_at is not None:
        return str(_("told on %(when)s", when=moment(row.finished_at)))
    if row.status == "waiting" and not row.attempts:
        return str(_("not told yet"))
    words: dict[str, str] = {
        "waiting": _(
            "not told yet (tries: %(tries)s); the last answer was: %(answer)s",
            tries=row.attempts,
            answer=answer,
        ),
        "refused": _("refused by the application: %(answer)s", answer=answer),
        "given_up": _("given up after a day; the last answer was: %(answer)s", answer=answer),
    }
    return words.get(row.status) or str(_("no longer wanted by the application"))
