"""The school's desk on the web (``/admin``): for staff, each within their schools."""

from idp.web.admin import mails, people, school_logo, school_texts, schools, start
from idp.web.admin.blueprint import blueprint

__all__ = ["blueprint", "mails", "people", "school_logo", "school_texts", "schools", "start"]
