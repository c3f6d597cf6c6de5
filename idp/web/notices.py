"""Notices that pages of several parts show."""

from flask import flash
from flask_babel import gettext as _


def confirmed() -> None:
    """After a step-up: a form that came too late was not acted on, and its sender must know."""
    flash(_("Thank you, that is confirmed. Nothing has been changed yet: you can do it now."))
