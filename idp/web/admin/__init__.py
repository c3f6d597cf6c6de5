"""The school's desk on the web (``/admin``): for staff, each within their schools."""

from idp.web.admin import imports, journal, people, staff, start
from idp.web.admin.blueprint import blueprint

__all__ = ["blueprint", "imports", "journal", "people", "staff", "start"]
