"""Schools at the desk: which somebody may change, and each change in the audit log."""

from collections.abc import Mapping
from typing import Any, Final

from idp.audit import changes
from idp.database import retried
from idp.desk.access import scope
from idp.desk.access.acts import AtSchool, act_at_school, act_for_platform
from idp.desk.access.rights import Right, Staff
from idp.errors import NotFound
from idp.lifecycle.mails import previews
from idp.mail.models import OutboxMessage
from idp.people import logos, school_texts, schools
from idp.people.models import TEXT_KINDS, School
from idp.people.school_texts import Words
from idp.people.schools import Change
from idp.settings import LOCALES

PERSONAL: Final = ("contact_name", "contact_phone")
"""Of these the audit log says that they changed, not from what to what: they are a person's."""


def mine(staff: Staff) -> list[School]:
    """The schools that this person may change, by name."""
    return scope.schools_by_name(staff.school_scope(Right.EDIT_SCHOOL))


def find(staff: Staff, school_id: str) -> School:
    """The school as it is now. Raises ``NotFound``."""
    return scope.school(staff.school_scope(Right.EDIT_SCHOOL), school_id)


def make(staff: Staff, name: str, **values: Any) -> School:
    """Make a school. Raises ``Invalid``, and ``NotFound`` where this is not theirs to do."""
    with act_for_platform(staff, Right.MAKE_SCHOOL):
        return schools.create_school(name, **values)


@retried
def change(
    staff: Staff, school_id: str, changes: Mapping[str, Any], *, version: int | None = None
) -> Change:
    """Change some fields; see ``idp.people.schools.change_school`` for what is raised."""
    with act_at_school(staff, Right.EDIT_SCHOOL, school_id) as on:
        done = schools.change_school(school_id, version, changes)
        if done.after:
            _note(on, done)
    return done


def set_logo(
    staff: Staff, school_id: str, file: bytes | None, *, version: int | None = None
) -> Change:
    """Make the school's logo of a file, or (None) take it away.

    Raises ``Invalid``, and what ``change`` raises.
    """
    find(staff, school_id)  # before any work is done on the file
    png = None if file is None else logos.cleaned(file)
    return change(staff, school_id, {"logo_png": png}, version=version)


def words(staff: Staff, school_id: str) -> dict[tuple[str, str], Words]:
    """The school's own words, by kind of letter and language. Raises ``NotFound``."""
    find(staff, school_id)
    return school_texts.all_words(school_id)


def letter(staff: Staff, school_id: str, kind: str, locale: str) -> tuple[School, Words]:
    """The school, and its words in one letter. Raises ``NotFound``, for no such letter too."""
    school = find(staff, school_id)
    _must_be_letter(kind, locale)
    return school, school_texts.words_of(school_id, kind, locale)


@retried
def set_words(
    staff: Staff,
    school_id: str,
    kind: str,
    locale: str,
    *,
    opening: str,
    closing: str,
    version: int | None = None,
) -> None:
    """Keep the school's words. Raises ``Invalid``, ``Conflict``, ``NotFound``."""
    with act_at_school(staff, Right.EDIT_SCHOOL, school_id) as on:
        _must_be_letter(kind, locale)
        before, after = school_texts.set_words(
            school_id, kind, locale, opening=opening, closing=closing, version=version
        )
        on.record(
            "school_text_changed",
            kind=kind,
            locale=locale,
            before={"opening": before.opening, "closing": before.closing},
            after={"opening": after.opening, "closing": after.closing},
        )


@retried
def send_preview(staff: Staff, school_id: str, kind: str, locale: str) -> OutboxMessage:
    """Queue the letter to the stored address of whoever asks.

    Raises ``Conflict``, ``Invalid`` where they have no address, ``NotFound``.
    """
    with act_at_school(staff, Right.EDIT_SCHOOL, school_id) as on:
        _must_be_letter(kind, locale)
        message = previews.enqueue(staff.account_id, school_id, kind, locale)
        on.record("specimen_asked", account_id=staff.account_id, kind=kind, locale=locale)
    return message


def _must_be_letter(kind: str, locale: str) -> None:
    if kind not in TEXT_KINDS or locale not in LOCALES:
        raise NotFound("letter", kind)


def _note(on: AtSchool, done: Change) -> None:
    before, after = dict(done.before), dict(done.after)
    hidden = [name for name in PERSONAL if name in after]
    for values in (before, after):
        for name in hidden:
            del values[name]
        if "contact_email" in values:
            values["contact_email"] = changes.shortened(values["contact_email"] or "")
        if values.get("logo_digest"):
            values["logo_digest"] = values["logo_digest"][:12]
    about = {"personal": hidden} if hidden else {}
    on.record("school_changed", before=before, after=after, **about)
