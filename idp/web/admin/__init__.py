"""The school's desk on the web (``/admin``): for staff, each within their schools."""

from idp.web.admin import (
    client_edit,
    client_trial,
    clients,
    erasures,
    guardian_new,
    guardianship,
    imports,
    journal,
    letters,
    mails,
    merging,
    people,
    person,
    person_edit,
    pupil,
    school_logo,
    school_texts,
    schools,
    staff,
    start,
)
from idp.web.admin.blueprint import blueprint

__all__ = [
    "blueprint",
    "client_edit",
    "client_trial",
    "clients",
    "erasures",
    "guardian_new",
    "guardianship",
    "imports",
    "journal",
    "letters",
    "mails",
    "merging",
    "people",
    "person",
    "person_edit",
    "pupil",
    "school_logo",
    "school_texts",
    "schools",
    "staff",
    "start",
]
from idp.web.admin import classes

__all__ = ["blueprint", "classes", "people", "start"]
