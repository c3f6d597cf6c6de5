"""Schools, with what their parents see of them."""

import hashlib
import re
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import ColumnElement, func, select

from idp import settings
from idp.audit import events
from idp.database import db, transaction, update_all
from idp.errors import Conflict, Invalid
from idp.people.addresses import clean_email
from idp.people.logos import LOGO_BYTES
from idp.people.models import School
from idp.people.names import clean_text
from idp.settings import LOCALES

_PNG = b"\x89PNG\r\n\x1a\n"
_COLOUR = re.compile(r"#[0-9a-fA-F]{6}")
_PROVIDER = re.compile(r"[a-z0-9_-]{1,40}")
PHONE_LENGTH = 40
MOST_DAYS: Final = 365
"""For which a family's device may stay signed in."""
LEAVERS_KEPT: Final = (30, 1095)
"""Days for which a school may keep who left: an import can be undone until then, at the least."""
DEFAULT_COLOUR: Final = "#1d4f91"


@dataclass(frozen=True)
class Change:
    """What a change did: the fields that differ, before and after."""

    before: Mapping[str, Any]
    after: Mapping[str, Any]


def create_school(
    name: str,
    *,
    colour: str = DEFAULT_COLOUR,
    contact_name: str = "",
    contact_email: str = "",
    contact_phone: str = "",
    locale: str = "fr",
    logo_png: bytes | None = None,
) -> School:
    """Make a school; ``colour`` as ``#rrggbb``, the contact is whom parents ask.

    Raises ``Invalid``.
    """
    values = {
        "name": name,
        "colour": colour,
        "contact_name": contact_name,
        "contact_email": contact_email,
        "contact_phone": contact_phone,
        "locale": locale,
        "logo_png": logo_png,
    }
    school = School(**_checked(values), languages="", hidden_providers="")
    with transaction() as writes:
        writes.add(school)
        writes.flush()
        events.record("school_created", school_id=school.id)
    return school


def change_school(school_id: str, version: int | None, changes: Mapping[str, Any]) -> Change:
    """Change some fields of a school, each checked as at its making; joins a transaction.

    ``version``: the one that the editor saw, None where nobody else can have been meant.
    ``languages`` and ``hidden_providers`` come as collections. Raises ``Invalid`` for a value
    that can't be stored, ``Conflict`` where the version is another by now.
    """
    values = _checked(changes)
    with transaction() as writes:
        school = writes.get(School, school_id, populate_existing=True, with_for_update=True)
        if school is None:
            raise Invalid("school", "unknown")
        if "languages" in changes or "locale" in changes:
            values |= _languages(school, changes)
        shown = {_shown(name) for name in values}
        before = {name: getattr(school, name) for name in shown}
        changed = update_all(
            School,
            School.id == school_id,
            _is_version(version),
            **values,
            version=School.version + 1,
        )
        if changed != 1:
            raise Conflict("changed_meanwhile")
        writes.refresh(school)
        after = {name: getattr(school, name) for name in shown}
    return Change(
        {name: each for name, each in before.items() if each != after[name]},
        {name: each for name, each in after.items() if each != before[name]},
    )


def list_schools() -> list[School]:
    """Every school, by name."""
    return list(db.session.scalars(select(School).order_by(School.name, School.id)))


def find_school(school_id: str) -> School | None:
    """The school of this id."""
    return db.session.get(School, school_id)


def offered_languages(school: School) -> tuple[str, ...]:
    """The languages of the school's pages, its own first; all where it names none."""
    named = school.languages.split() or LOCALES
    return (school.locale, *(each for each in LOCALES if each in named and each != school.locale))


def hidden_providers(school: School) -> frozenset[str]:
    """The keys of the providers that the school's sign-in pages do not offer."""
    return frozenset(school.hidden_providers.split())


def any_lets_stay(these: Iterable[School]) -> bool:
    """Whether one of these schools lets families stay signed in; of none, whether the operator."""
    default = settings.current().stay_signed_in_days
    days = [each.stay_signed_in_days for each in these] or [None]
    return any(default if each is None else each for each in days)


def lets_stay() -> ColumnElement[bool]:
    """The same of the school of a row."""
    default = settings.current().stay_signed_in_days
    return func.coalesce(School.stay_signed_in_days, default) > 0


def _is_version(version: int | None) -> Any:
    return School.version == (School.version if version is None else version)


def _shown(name: str) -> str:
    return "logo_digest" if name == "logo_png" else name


def _checked(fields: Mapping[str, Any]) -> dict[str, Any]:
    """The fields as they are stored. Raises ``Invalid`` at the first that can't be."""
    values: dict[str, Any] = {}
    for name, value in fields.items():
        values |= _logo(value) if name == "logo_png" else _field(name, value)
    return values


def _field(name: str, value: Any) -> dict[str, Any]:
    if name not in _FIELDS:
        raise Invalid(name, "no_such_field")
    return {name: _FIELDS[name](value)}


def _email(text: str) -> str:
    return clean_email("contact_email", text) if text.strip() else ""


def _locale(text: str) -> str:
    if text not in LOCALES:
        raise Invalid("locale", "none_of", allowed=LOCALES)
    return text


def _providers(keys: Collection[str]) -> str:
    if not all(_PROVIDER.fullmatch(each) for each in keys):
        raise Invalid("hidden_providers", "no_provider")
    return " ".join(sorted(set(keys)))


def _days(text: str | int | None) -> int | None:
    """Whole days; nothing, or « default »: as the operator says."""
    written = str("" if text is None else text).strip()
    if written in {"", "default"}:
        return None
    if not re.fullmatch("[0-9]{1,3}", written, re.ASCII) or int(written) > MOST_DAYS:
        raise Invalid("stay_signed_in_days", "no_days", most=MOST_DAYS)
    return int(written)


def _days_of_leavers(text: str | int | None) -> int | None:
    """As above; never so few that nobody could be told before."""
    written = str("" if text is None else text).strip()
    if written in {"", "default"}:
        return None
    least, most = LEAVERS_KEPT
    if not re.fullmatch("[0-9]{1,4}", written, re.ASCII) or not least <= int(written) <= most:
        raise Invalid("keep_leavers_days", "no_days_between", least=least, most=most)
    return int(written)


def _colour(text: str) -> str:
    if not _COLOUR.fullmatch(text):
        raise Invalid("colour", "no_colour", example=DEFAULT_COLOUR)
    return text.lower()


def _known_languages(languages: Iterable[str]) -> str:
    wanted = set(languages)
    if not wanted or not wanted <= set(LOCALES):
        raise Invalid("languages", "no_languages", allowed=LOCALES)
    return " ".join(each for each in LOCALES if each in wanted)


def _languages(school: School, changes: Mapping[str, Any]) -> dict[str, str]:
    """Its first language is always among those that it offers."""
    locale = changes.get("locale", school.locale)
    languages = set(changes.get("languages", school.languages.split() or LOCALES)) | {locale}
    return {"languages": _known_languages(languages)}


def _logo(png: bytes | None) -> dict[str, Any]:
    if png is not None and not (png.startswith(_PNG) and len(png) <= LOGO_BYTES):
        raise Invalid("logo", "no_png", most=LOGO_BYTES)
    return {"logo_png": png, "logo_digest": hashlib.sha256(png).hexdigest() if png else None}


_FIELDS: Final[Mapping[str, Callable[[Any], Any]]] = {
    "name": lambda text: clean_text("name", text, required=True),
    "colour": _colour,
    "contact_name": lambda text: clean_text("contact_name", text),
    "contact_email": _email,
    "contact_phone": lambda text: clean_text("contact_phone", text, longest=PHONE_LENGTH),
    "locale": _locale,
    "languages": _known_languages,
    "hidden_providers": _providers,
    "stay_signed_in_days": _days,
    "keep_leavers_days": _days_of_leavers,
}
