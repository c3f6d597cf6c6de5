"""The application as a command sees it: quiet."""

import logging

from flask import Flask

from idp import create_app


def build() -> Flask:
    """Build the provider from the environment for one command.

    A command speaks by its output; of the log only what went wrong is shown beside it,
    unless ``IDP_LOG_LEVEL`` asks for everything.
    """
    app = create_app()
    log = logging.getLogger("idp")
    if log.getEffectiveLevel() > logging.DEBUG:
        log.setLevel(max(log.level, logging.ERROR))
    return app


def speak(level: str) -> None:
    """Log as the settings say, for a command that goes on running."""
    logging.getLogger("idp").setLevel(logging.getLevelNamesMapping().get(level, logging.INFO))
