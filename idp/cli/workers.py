"""How ``idp mail work`` and its like go on until they are stopped, or do what waits."""

import logging
import os
from collections.abc import Callable
from pathlib import Path
from threading import Event
from typing import Any

import click
from flask import current_app

from idp import heartbeat, settings
from idp.audit import continuity
from idp.cli import application, metrics
from idp.cli.errors import BadInput
from idp.database import db
from idp.readiness import agreement

log = logging.getLogger(__name__)


def options(once: str, pause: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Give a worker's command its ``--once`` and ``--pause``, each with this help; and, as
    ``heart``, what its ``--heartbeat`` names.
    """
    seconds = click.FloatRange(0.1, 3600)
    all_of_them = (
        click.option(
            "--heartbeat",
            "heart",
            type=click.Path(path_type=Path, dir_okay=False),
            help="A file in which it tells that it goes on, for `idp alive`.",
        ),
        click.option("--pause", type=seconds, default=1.0, show_default=True, help=pause),
        click.option("--once", is_flag=True, help=once),
    )

    def decorate(function: Callable[..., Any]) -> Callable[..., Any]:
        for option in all_of_them:
            function = option(function)
        return function

    return decorate


def run(
    name: str,
    step: Callable[[], int],
    work: Callable[[Event, float], None],
    pause: float | None,
    heart: Path | None = None,
) -> int:
    """Let a worker do what waits until it is stopped; without a ``pause``, what waits now.

    ``step`` does some, and returns how many things that were; returns the same of all of them.
    ``heart``: a file in which it tells that it goes on.
    """
    application.speak(settings.current().log_level)
    try:
        heartbeat.begin(heartbeat.Heart(heart, os.environ), db.engine)
    except OSError as error:
        raise BadInput(f"{heart} can't be written: {error.strerror}") from error
    if pause is not None:
        metrics.begin_alone(current_app._get_current_object())  # type: ignore[attr-defined]
    agreement.join()  # it makes tokens that others have to believe
    if pause is not None:
        stop = application.stopped_by_signals()
        log.info("the %s worker is at work", name)
        work(stop, pause)
        return 0
    continuity.refuse_other_history()  # what waits may have been sent before a backup was put back
    total = 0
    while handled := step():
        total += handled
    return total
