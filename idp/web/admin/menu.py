"""The desk's pages, as its menu lists them."""

from dataclasses import dataclass
from typing import Final

from flask_babel import LazyString
from flask_babel import lazy_gettext as _

from idp.desk.access.rights import Right, Staff


@dataclass(frozen=True)
class Entry:
    """A page of the desk: where it is, what it is called, whom it is for."""

    endpoint: str
    label: LazyString
    right: Right
    icon: str

    @property
    def section(self) -> str:
        """The part of the desk; pages below name it in ``templates/admin/page.html``."""
        return self.endpoint.partition(".")[2]


ENTRIES: Final = (
    Entry("admin.start", _("Overview"), Right.SEE_OVERVIEW, "chart"),
    Entry("admin.people", _("People"), Right.LOOK_UP, "people"),
    Entry("admin.letters", _("Letters"), Right.PRINT_LETTERS, "printer"),
    Entry("admin.mails", _("Mail"), Right.SEND_TOKENS, "mail"),
    Entry("admin.imports", _("Imports"), Right.IMPORT_ROSTER, "upload"),
    Entry("admin.erasures", _("Erasure requests"), Right.CHANGE_PEOPLE, "shield"),
    Entry("admin.clients", _("Applications"), Right.SEE_CLIENTS, "apps"),
    Entry("admin.schools", _("Schools"), Right.EDIT_SCHOOL, "school"),
    Entry("admin.roles", _("Staff"), Right.GIVE_ROLES, "badge"),
    Entry("admin.audit_log", _("Logbook"), Right.READ_AUDIT_LOG, "clock"),
)
"""In the order in which they are needed, from each day's to the rarest."""


def entries_for(staff: Staff) -> list[Entry]:
    """What this person finds in the menu."""
    return [entry for entry in ENTRIES if staff.may(entry.right)]
