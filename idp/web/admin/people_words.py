"""Guardianships, reasons, mails and acts in the words of a school's office."""

from collections.abc import Mapping
from typing import Any, Final

from flask_babel import gettext
from flask_babel import lazy_gettext as _

from idp.audit.vocabulary import VOCABULARY
from idp.desk.people.guardianships import Linked
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

MAILS: Final = {
    "invitation": _("Invitation with a token"),
    "fresh_token": _("New token, asked for by the guardian"),
    "school_token": _("New token, sent by the school"),
    "password_reset": _("New password"),
    "password_changed": _("The password was changed"),
    "email_confirm": _("Confirm the new e-mail address"),
    "email_change_asked": _("Another e-mail address was asked for"),
    "email_changed": _("The e-mail address was changed"),
    "email_changed_old": _("The e-mail address was changed, to the old one"),
    "email_undone": _("The old e-mail address is back"),
    "email_undone_new": _("The old e-mail address is back, to the other one"),
    "email_way_back_ended": _("A change of address can no longer be undone"),
    "new_device": _("Sign-in from a new device"),
    "accounts_merged": _("Two accounts became one"),
    "account_corrected": _("The school corrected the name or the user name"),
    "account_merged_away": _("Two accounts became one"),
    "account_enabled": _("The account was enabled"),
    "erasure_closed": _("Answer to the request to be erased"),
    "guardianship_made": _("A pupil was linked"),
    "guardianship_asked": _("Question whether a pupil is to be linked"),
    "link_made": _("Linked to another provider"),
    "link_removed": _("Link to another provider removed"),
    "link_ended": _("Link to another provider ended"),
    "erasure_asked": _("Request to be erased, to the school"),
}
FACTOR_MAIL: Final = _("Passkeys or second step changed")

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
    Linked.BEFORE: _("They were linked already."),
    Linked.WAITS_FOR_YES: _(
        "They have not been a guardian here for a long time, or ended it themselves, or a court"
        " did. They are asked by mail, and linked once they say yes."
    ),
}


def mail(kind: str) -> str:
    """What a mail was about."""
    return str(MAILS.get(kind, FACTOR_MAIL))


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
