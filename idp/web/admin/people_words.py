"""Guardianships, reasons, mails and acts in the words of a school's office."""

from collections.abc import Mapping
from typing import Any, Final

from flask_babel import gettext
from flask_babel import lazy_gettext as _

from idp.audit.vocabulary import VOCABULARY
from idp.desk.people.guardianships import Linked
from idp.mail.kinds import KINDS, Kind
from idp.people.guardianships import BY_ROSTER
from idp.web.i18n import translated

ROLES: Final = {
    "helper": _("Helper"),
    "manager": _("Manager"),
    "operator": _("Operator"),
}
"""A helper looks up and sends tokens; a manager runs a school's desk; an operator all of it."""

RELATIONSHIPS: Final = {
    "parent": _("Parent"),
    "mother": _("Mother"),
    "father": _("Father"),
    "guardian": _("Guardian"),
    "relative": _("Relative"),
    "aunt": _("Aunt"),
    "uncle": _("Uncle"),
    "other": _("Contact person"),
}
REASONS: Final = {
    "family": _("The family's situation has changed"),
    "request": _("The guardian asked for it"),
    "court": _("Decision of a court"),
    "moved": _("The family has moved away"),
    "mistake": _("Linked by mistake"),
    "other": _("Another reason"),
}
"""What somebody may choose; two more come by other acts."""
ALL_REASONS: Final = {
    **REASONS,
    "left": _("The pupil has left the school"),
    "merged": _("Two accounts became one"),
}

ACTS: Final = {name: event.person for name, event in VOCABULARY.items() if event.person}
OTHER_ACT: Final = _("The account was changed")


def reason(code: str | None, text: str | None) -> list[str]:
    """Why a guardianship ended: the reason, and what somebody wrote about it."""
    if text == BY_ROSTER:
        return [gettext("No longer in the school's list")]
    sentences = [str(ALL_REASONS[code])] if code in ALL_REASONS else []
    return [*sentences, *([text] if text else [])]


def linked(outcome: Linked) -> str:
    """What a wish to link a guardian and a pupil came to."""
    return str(_LINKED[outcome])


_LINKED: Final = {
    Linked.NOW: _("They are linked, and told by mail."),
    Linked.NOW_WITHOUT_MAIL: _("They are linked. No mail says so: tell them yourself."),
    Linked.BEFORE: _("They were linked already."),
    Linked.WAITS_FOR_YES: _(
        "They have not been a guardian here for a long time, or ended it themselves, or a court"
        " did. They are asked by mail, and linked once they say yes."
    ),
    Linked.WAITS_WITHOUT_MAIL: _(
        "They have not been a guardian here for a long time, or ended it themselves, or a court"
        " did. They are linked once they say yes. There is no e-mail address to ask them at: the"
        " question is on their own page, tell them yourself."
    ),
}


def mail(kind: str) -> str:
    """What a mail was about."""
    return translated(KINDS[kind].person if kind in KINDS else Kind.listed)


def act(event: str) -> str:
    """What somebody at the desk did."""
    return str(translated(ACTS[event]) if event in ACTS else OTHER_ACT)


def changes(changed: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Before and after, of what an act changed and a page may show."""
    shown = []
    for name, values in changed.items():
        known = KNOWN_VALUES.get(name)
        if known is not None:
            shown.append(tuple(str(known.get(value) or value or "") for value in values))
    return [(before, after) for before, after in shown]


KNOWN_VALUES: Final[dict[str, Mapping[Any, Any]]] = {
    "email": {},
    "user_name": {},
    "language": {"fr": "français", "nl": "Nederlands", "de": "Deutsch", "en": "English"},
    "relationship": RELATIONSHIPS,
    "reason": ALL_REASONS,
    "ended": ALL_REASONS,
    "outcome": {"done": _("done"), "declined": _("declined")},
}
