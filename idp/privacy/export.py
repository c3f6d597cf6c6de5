"""All that is kept about a guardian, for themselves (GDPR Art. 15 and 20): one JSON document.

Each part of the program that keeps something about accounts adds a section:

    @export.section("connected_accounts", tables=("federated_links",))
    def connected_accounts(account: Account) -> list[dict[str, object]]:
        return [{"provider": link.provider, "since": link.created_at} for link in …]

in a module that ``create_app`` imports. ``tables`` names what the section covers: a test goes
through every table with an account's id and asks for a section, or for a reason in ``LEFT_OUT``.
A section speaks of this guardian alone: nothing of other guardians (security rule C3), no
secret and no hash of one.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from idp import clock, settings
from idp.people.models import Account

VERSION: Final = 1

Content = dict[str, Any] | list[dict[str, Any]]


@dataclass(frozen=True)
class Section:
    """One part of the document, and the tables that it covers."""

    name: str
    tables: tuple[str, ...]
    content: Callable[[Account], Content]


SECTIONS: Final[dict[str, Section]] = {}
"""In the order in which they were added, which is that of the document."""

LEFT_OUT: Final = {
    "directory_entries": "an index; what it is made of has sections",
    "passwords": "a secret; when it was set stands in the account's section",
    "email_change_links": "hashes of secrets; their changes have a section",
    "federation_states": "hashes of secrets, for ten minutes; its links have a section",
    "passkey_challenges": "hashes of random numbers, for five minutes",
    "roster_changes": "for a week, to undo an import; an address in it may be somebody else's",
    "roster_matches": "for a day at most, while a school's list is imported",
    "roster_questions": "for a day at most, while a person at the school answers them",
    "roster_pairs": "for a day at most, while a school's list is imported",
}
"""Tables about accounts without a section, each with its reason."""


def section(
    name: str, *, tables: tuple[str, ...]
) -> Callable[[Callable[[Account], Content]], Callable[[Account], Content]]:
    """Add a section to every document; its names are part of what parents are given."""

    def add(content: Callable[[Account], Content]) -> Callable[[Account], Content]:
        known = SECTIONS.get(name)
        if known is not None and known.content is not content:
            raise ValueError(f"there is a section {name} already")
        SECTIONS[name] = Section(name, tables, content)
        return content

    return add


def document(account: Account) -> dict[str, Any]:
    """Everything about this guardian, ready for JSON; times are ISO 8601 in UTC."""
    about = {
        "version": VERSION,
        "made_at": clock.now(),
        "made_by": settings.current().issuer,
    }
    sections = {each.name: each.content(account) for each in SECTIONS.values()}
    return {"about": _plain(about), **{name: _plain(part) for name, part in sections.items()}}


def _plain(value: Any) -> Any:
    match value:
        case datetime():
            return value.isoformat(timespec="seconds")
        case dict():
            return {str(key): _plain(each) for key, each in value.items()}
        case list() | tuple() | set() | frozenset():
            each_plain = [_plain(each) for each in value]
            return sorted(each_plain) if isinstance(value, set | frozenset) else each_plain
    return value
