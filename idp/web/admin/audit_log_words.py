"""The audit log's events in words, with what they changed.

The events' own words stand in ``idp.audit.vocabulary``, the fields that ``changes`` name here.
"""

from dataclasses import dataclass
from typing import Any, Final

from flask_babel import LazyString, gettext
from flask_babel import lazy_gettext as _

from idp.audit.vocabulary import VOCABULARY
from idp.desk.audit_log import Entry
from idp.web.admin import client_fields
from idp.web.admin.import_words import COUNTS, UNDOING
from idp.web.admin.people_words import KNOWN_VALUES, ROLES
from idp.web.i18n import NAMES, translated

WORDS: Final = {name: event.school for name, event in VOCABULARY.items() if event.school}

FIELDS: Final[dict[str, LazyString]] = {
    "class": _("Class"),
    "class_name": _("Class"),
    "closing": _("End of the mail"),
    "colour": _("Colour"),
    "contact_email": _("Contact: e-mail"),
    "contact_name": _("Contact: name"),
    "contact_phone": _("Contact: telephone"),
    "email": _("E-mail address"),
    "ended": _("Reason"),
    "keep_leavers_days": _("Days that those who left are kept"),
    "language": _("Language"),
    "languages": _("Languages"),
    "locale": _("Language"),
    "logo": _("School logo"),
    "logo_digest": _("School logo"),
    "may_print": _("May print letters"),
    "name": _("Name"),
    "opening": _("Beginning of the mail"),
    "outcome": _("Answer"),
    "providers": _("Other ways to sign in"),
    "reason": _("Reason"),
    "relationship": _("Relationship"),
    "role": _("Role"),
    "status": _("State"),
    "stay_signed_in_days": _("Days that families may stay signed in"),
    "user_name": _("User name"),
}
_LANGUAGES: Final = frozenset({"language", "locale"})


_OTHER: Final = _("Something was changed")


@dataclass(frozen=True)
class Change:
    """A field of which the event says what it was and what it became."""

    label: str
    before: str
    after: str
    for_programs: bool
    """Its values are names, addresses and ids that programs know."""


def what(event: str) -> str:
    """What happened; an event that has no words of its own is told as a change."""
    return str(translated(WORDS[event]) if event in WORDS else _OTHER)


def kinds() -> list[tuple[str, str]]:
    """Every kind with its words, in the order of the words, for a choice."""
    labels = ((kind, translated(words)) for kind, words in WORDS.items())
    return sorted(labels, key=lambda each: each[1])


def changes(entry: Entry) -> list[Change]:
    """What the event changed, field by field."""
    changed = (entry.event.detail or {}).get("changes") or {}
    return [
        Change(
            _label(name),
            _shown(name, pair[0]),
            _shown(name, pair[1]),
            for_programs=name not in FIELDS and name != "client_name",
        )
        for name, pair in changed.items()
        if isinstance(pair, list) and len(pair) == 2
    ]


def facts(entry: Entry) -> list[str]:
    """What else the event says: which role, how many pupils."""
    detail = entry.event.detail or {}
    sentences = []
    if detail.get("role") in ROLES:
        sentences.append(str(ROLES[detail["role"]]))
    if detail.get("may_print"):
        sentences.append(gettext("with the right to print letters"))
    counts = detail.get("counts") or {}
    words = UNDOING if entry.event.event == "roster_undone" else COUNTS
    sentences += [
        f"{words[kind]}: {count}"
        for kind, count in counts.items()
        if kind in words and isinstance(count, int)
    ]
    return sentences


def run_of(entry: Entry) -> str:
    """The import that the event is about."""
    run = (entry.event.detail or {}).get("run")
    return run if isinstance(run, str) and entry.event.event.startswith("roster_") else ""


def _label(name: str) -> str:
    """What a field is called; of an application as its form calls it."""
    of_client = client_fields.FIELDS.get(client_fields.FORM_NAMES.get(name, name))
    return str(FIELDS.get(name) or (of_client.label if of_client else name))


def _shown(name: str, value: Any) -> str:
    if name in _LANGUAGES and isinstance(value, str) and value in NAMES:
        return NAMES[value]
    if words := KNOWN_VALUES.get(name, {}).get(value) if isinstance(value, str) else None:
        return str(words)
    match value:
        case None | "" | []:
            return "–"
        case bool():
            return str(gettext("Yes") if value else gettext("No"))
        case list():
            return ", ".join(str(each) for each in value)[:300]
    return str(value)[:300]
