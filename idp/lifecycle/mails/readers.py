"""Who reads a letter: a parent, a colleague or both; in whose name it comes, and who answers.

A colleague is not written to as somebody's parent: their school and their role are named.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from sqlalchemy import select

from idp import settings
from idp.clients import registration
from idp.database import db
from idp.mail.messages import Face, clean
from idp.people import contrast, guardianships, logos, staff
from idp.people.models import Account, School
from idp.people.schools import find_school


@dataclass(frozen=True)
class Contact:
    """Whom to ask at a school."""

    school: str
    name: str
    email: str
    phone: str


@dataclass(frozen=True)
class Work:
    """One role of the reader's: ``school`` is empty where it is for all schools."""

    role: str
    school: str


@dataclass(frozen=True)
class Reader:
    """What a letter needs to know of the people that it is for."""

    schools: tuple[School, ...]
    work: tuple[Work, ...]
    parent: bool
    """Whether a child of theirs is at a school now."""

    @property
    def colleague(self) -> bool:
        """Whether they are written to for their work alone."""
        return bool(self.work) and not self.parent

    @property
    def face(self) -> Face:
        return face_of(self.schools)

    @property
    def contacts(self) -> list[Contact]:
        return [contact(school) for school in self.schools]


def reader_of(accounts: Sequence[Account], client_id: str | None) -> Reader:
    """The reader of a letter to these accounts of one mailbox; ``client_id``: from where."""
    schools: dict[str, School] = {}
    for account in accounts:
        for child, _ in guardianships.live_children(account.id):
            schools.setdefault(child.school_id, child.school)
    parent = bool(schools)
    work = []
    for role in (each for account in accounts for each in staff.roles_of(account.id)):
        school = find_school(role.school_id) if role.school_id else None
        work.append(Work(role.role, clean(school.name) if school else ""))
        if school is not None and not parent:
            schools.setdefault(school.id, school)
    by_name = sorted(schools.values(), key=lambda school: school.name)
    if not by_name and client_id:
        by_name = registration.schools_of(client_id)
    return Reader(tuple(by_name), tuple(work), parent)


def contact(school: School) -> Contact:
    """Whom a letter names at this school."""
    return Contact(
        clean(school.name),
        clean(school.contact_name),
        clean(school.contact_email),
        clean(school.contact_phone),
    )


def face_of(schools: Sequence[School]) -> Face:
    """The school's name and colour, and its contact for answers; the platform's for several,
    since one school does not speak for another (security rule C3).
    """
    if len(schools) != 1:
        return Face(clean(settings.current().platform_name))
    school = schools[0]
    scheme = contrast.light_scheme(school.colour)
    return Face(
        clean(school.name),
        colour=contrast.to_hex(contrast.parse(school.colour)),
        on_colour=contrast.text_on(school.colour),
        accent=scheme.accent,
        on_accent=scheme.on_accent,
        reply_to=clean(school.contact_email),
        logo=_logo(school.id, school.logo_digest) if school.logo_digest else None,
    )


@lru_cache(maxsize=32)
def _logo(school_id: str, digest: str) -> bytes | None:
    """The school's logo as mails carry it; the same for the same digest, whoever changes it."""
    stored = select(School.logo_png).where(School.id == school_id, School.logo_digest == digest)
    png = db.session.scalars(stored).one_or_none()
    return logos.small(png) if png else None
