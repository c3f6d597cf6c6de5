"""What a printed letter says, whole sentences in the family's language."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from babel import Locale
from babel.dates import format_date
from flask_babel import force_locale, to_user_timezone
from flask_babel import gettext as _

from idp.mail.messages import clean, sign_in_link
from idp.people.models import School


@dataclass(frozen=True)
class Words:
    """The sentences of a school's letters in one language; what differs comes with each letter."""

    locale: str
    title: str
    """Names the document, not the family: it shows in window titles and lists of files."""
    place: str
    contact: tuple[str, ...]
    today: str
    subject: str
    opening: str
    steps: tuple[str, ...]
    username: str
    token: str
    picture: str
    secret: str
    question: str


@dataclass(frozen=True)
class Letter:
    """One family's letter. Its token is shown on paper and nowhere else (security rule A5)."""

    name: str
    username: str
    pupils: tuple[str, ...]
    token: str = field(repr=False)
    expires_at: datetime
    words: Words


def words(school: School, locale: str, today: datetime) -> Words:
    """The sentences of this school's letters in the language ``locale``."""
    place = clean(school.name)
    with force_locale(locale):
        contact, question = whom_to_ask(school)
        opening = (
            _(
                "An account at %(place)s has been opened for you,"
                " so that you can see your child's page.",
                place=place,
            ),
            _("All that is left to do is to choose your own password."),
        )
        return Words(
            locale=locale,
            title=_("Your first sign-in at %(place)s", place=place),
            place=place,
            contact=contact,
            today=_day(today, locale),
            subject=_("Your first sign-in at %(place)s", place=place),
            opening=" ".join(opening),
            steps=(
                _(
                    "Scan the square picture with your phone's camera. Without a phone, open"
                    " %(address)s on a computer and press “%(button)s”.",
                    address=sign_in_link(),
                    button=_("CONNECTION TOKEN"),
                ),
                _(
                    "The token is filled in for you, or you type it. Spaces, dashes and capitals"
                    " don't matter."
                ),
                _(
                    "Choose your own password. From then on you sign in with your user name and"
                    " this password."
                ),
            ),
            username=_("Your user name"),
            token=_("Your connection token"),
            picture=_("Opens the page with your token filled in"),
            secret=_(
                "Keep this letter to yourself until then: whoever holds it can open the account."
            ),
            question=question,
        )


def whom_to_ask(school: School) -> tuple[tuple[str, ...], str]:
    """The lines of the school's contact, and what stands above them, or in their place."""
    lines = (school.contact_name, school.contact_email, school.contact_phone)
    contact = tuple(clean(line) for line in lines if line)
    if contact:
        return contact, _("A question? Your contact at school:")
    return contact, _("A question? Ask your child's school.")


def greeting(name: str, locale: str) -> str:
    """« Bonjour Claire Dubois, »."""
    with force_locale(locale):
        return str(_("Hello %(name)s,", name=name))


def for_whom(pupils: Sequence[str], locale: str) -> str:
    """By which pupil a letter finds its way where nobody knows the postal address."""
    with force_locale(locale):
        return str(_("By way of %(pupils)s", pupils=", ".join(pupils)))


def until(day: datetime, locale: str) -> str:
    """For how long the token works."""
    with force_locale(locale):
        return str(_("The token works once, until %(day)s.", day=_day(day, locale)))


def _day(when: datetime, locale: str) -> str:
    # Our English readers live in Europe: the day goes before the month
    language = Locale("en", "GB") if locale == "en" else Locale(locale)
    return format_date(to_user_timezone(when), "long", locale=language)
