"""The school's desk on the web (``/admin``): for staff, each within their schools."""

from idp.web.admin import (
    erasures,
    guardian_new,
    guardianship,
    merging,
    people,
    person,
    person_edit,
    pupil,
    start,
)
from idp.web.admin.blueprint import blueprint

__all__ = [
    "blueprint",
    "erasures",
    "guardian_new",
    "guardianship",
    "merging",
    "people",
    "person",
    "person_edit",
    "pupil",
    "start",
]
from idp.web.admin import mails, people, school_logo, school_texts, schools, start
from idp.web.admin.blueprint import blueprint

__all__ = ["blueprint", "mails", "people", "school_logo", "school_texts", "schools", "start"]
from idp.web.admin import imports, journal, people, staff, start
from idp.web.admin.blueprint import blueprint

__all__ = ["blueprint", "imports", "journal", "people", "staff", "start"]
from idp.web.admin import client_edit, client_trial, clients, people, start
from idp.web.admin.blueprint import blueprint

__all__ = ["blueprint", "client_edit", "client_trial", "clients", "people", "start"]
