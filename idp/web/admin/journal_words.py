"""The journal's events in words: one line for each, in the table ``WORDS``.

Whoever records an event with a school's id adds its words here, and a field that its
``changes`` name to ``FIELDS``; ``tests/admin/test_journal.py`` sees to the first.
"""

from dataclasses import dataclass
from typing import Any, Final

from flask_babel import LazyString, gettext
from flask_babel import lazy_gettext as _

from idp.desk.trail import Entry
from idp.web.admin.import_words import COUNTS, UNDOING
from idp.web.admin.people_words import KNOWN_VALUES, ROLES
from idp.web.i18n import NAMES

WORDS: Final[dict[str, LazyString]] = {
    # People
    "access_closed": _("Access was closed"),
    "account_changed": _("An account was changed"),
    "account_created": _("An account was made"),
    "account_disabled": _("An account was disabled"),
    "account_enabled": _("An account was opened again"),
    "accounts_merged": _("Two accounts of one person were merged"),
    "child_changed": _("A pupil was changed"),
    "child_created": _("A pupil was added"),
    "child_left": _("A pupil left"),
    "child_returned": _("A pupil came back"),
    "class_tokens_sent": _("A class was sent its tokens"),
    "erasure_answered": _("A request to be erased was answered"),
    "school_invited": _("Everybody at the school who waited was invited"),
    "erasure_asked": _("A guardian asked to be erased"),
    "erasure_closed": _("A request to be erased was closed"),
    "email_way_back_ended": _("A change of address can no longer be undone"),
    "factors_reset": _("The second step was reset"),
    "factors_reset_asked": _("Somebody asked to have a second step reset"),
    "factors_reset_declined": _("The reset of a second step was declined"),
    "guardianship_answered": _("A former guardian answered about a pupil"),
    "guardianship_asked": _("A former guardian was asked about a pupil"),
    "guardianship_changed": _("A relationship was corrected"),
    "guardianship_ended": _("A guardian was separated from a pupil"),
    "guardianship_made": _("A guardian was linked to a pupil"),
    "guardianship_restored": _("A link between guardian and pupil was restored"),
    "letter_printed": _("A letter with a token was printed"),
    "mail_asked_again": _("A mail was sent once more"),
    "person_email_corrected": _("An e-mail address was corrected"),
    "person_language_set": _("The language of a guardian was set"),
    "token_issued": _("A token was made"),
    "username_changed": _("A user name was corrected"),
    "token_sent": _("A token was sent"),
    # Imports
    "roster_answered": _("Somebody decided who the people in an import are"),
    "roster_applied": _("An import was carried out"),
    "roster_begun": _("A file was chosen for an import"),
    "roster_held_back": _("An import was held back: too much would have ended"),
    "roster_undone": _("An import was undone"),
    # Staff
    "role_changed": _("A role was changed"),
    "role_granted": _("A role was given"),
    "role_revoked": _("A role was taken away"),
    # Schools, applications, the platform
    "client_changed": _("An application was changed"),
    "client_created": _("An application was registered"),
    "client_disabled": _("An application was disabled"),
    "client_enabled": _("An application was opened again"),
    "client_secret_ended": _("An application's older secret was ended"),
    "client_secret_rotated": _("An application got a new secret"),
    "database_restored": _("The database was restored from a backup"),
    "settings_agreed": _("All machines take other secrets or keys from now on"),
    "key_made": _("A signing key was made"),
    "key_retired": _("A signing key was retired"),
    "key_rotated": _("The signing key was changed"),
    "school_changed": _("The school was changed"),
    "school_created": _("The school was added"),
    "school_text_changed": _("The text of a mail was changed"),
    "specimen_asked": _("A mail was sent as a trial"),
}

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


def what(event: str) -> str:
    """What happened; an event that has no words of its own is told as a change."""
    return str(WORDS.get(event, _OTHER))


def kinds() -> list[tuple[str, str]]:
    """Every kind with its words, in the order of the words, for a choice."""
    return sorted(((kind, str(words)) for kind, words in WORDS.items()), key=lambda each: each[1])


def changes(entry: Entry) -> list[Change]:
    """What the event changed, field by field."""
    found = (entry.event.detail or {}).get("changes") or {}
    return [
        Change(str(FIELDS.get(name, name)), _shown(name, pair[0]), _shown(name, pair[1]))
        for name, pair in found.items()
        if isinstance(pair, list) and len(pair) == 2
    ]


def facts(entry: Entry) -> list[str]:
    """What else the event says: which role, how many pupils."""
    detail = entry.event.detail or {}
    told = []
    if detail.get("role") in ROLES:
        told.append(str(ROLES[detail["role"]]))
    if detail.get("may_print"):
        told.append(gettext("with the right to print letters"))
    counts = detail.get("counts") or {}
    words = UNDOING if entry.event.event == "roster_undone" else COUNTS
    told += [
        f"{words[kind]}: {count}"
        for kind, count in counts.items()
        if kind in words and isinstance(count, int)
    ]
    return told


def run_of(entry: Entry) -> str:
    """The import that the event is about."""
    run = (entry.event.detail or {}).get("run")
    return run if isinstance(run, str) and entry.event.event.startswith("roster_") else ""


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
