"""The school's desk on the web (``/admin``): for staff, each within their schools."""

from idp.web.admin import classes, people, start
from idp.web.admin.blueprint import blueprint

__all__ = ["blueprint", "classes", "people", "start"]
