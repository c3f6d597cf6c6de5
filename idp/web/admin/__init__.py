"""The school's desk on the web (``/admin``): for staff, each within their schools."""

from idp.web.admin import client_edit, client_trial, clients, people, start
from idp.web.admin.blueprint import blueprint

__all__ = ["blueprint", "client_edit", "client_trial", "clients", "people", "start"]
