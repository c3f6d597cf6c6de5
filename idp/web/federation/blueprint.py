"""The blueprints of everything that has to do with other providers."""

from flask import Blueprint

blueprint = Blueprint("federation", __name__)
callbacks = Blueprint("provider_callbacks", __name__)
"""What providers' servers call. Exempt from form tokens: their signature is the proof."""
