"""Days and moments as people write them, the same on every page and in every mail."""

from datetime import datetime

from babel import Locale
from babel.dates import format_date, format_time
from flask import Flask
from flask_babel import get_locale, to_user_timezone
from flask_babel import gettext as _

BRITISH = Locale("en", "GB")


def init_app(app: Flask) -> None:
    """Give templates the filters ``day`` and ``moment``."""
    app.jinja_env.filters["day"] = day
    app.jinja_env.filters["moment"] = moment


def day(when: datetime) -> str:
    """« 24 novembre 2026 », in the platform's time zone."""
    return format_date(to_user_timezone(when), "long", locale=_language())


def moment(when: datetime) -> str:
    """« 24 novembre 2026 à 17:05 », in the platform's time zone: nobody needs its seconds."""
    at = to_user_timezone(when)
    clock = format_time(at, "short", locale=_language())
    return str(_("%(day)s at %(time)s", day=day(when), time=clock))


def _language() -> Locale:
    locale = get_locale() or BRITISH
    # Our English readers live in Europe: the day goes before the month, and 17:05 is no 5 PM.
    return BRITISH if locale.language == "en" else locale
