"""The blueprints of what applications call, and of what a guardian answers on the way."""

from flask import Blueprint

endpoints = Blueprint("oauth2", __name__)
"""What applications call. Exempt from form tokens: each has a protection of its own."""
blueprint = Blueprint("protocol", __name__)
"""Pages that a guardian answers."""
