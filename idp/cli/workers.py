"""How ``idp mail work`` and its like go on until they are stopped, or do what waits."""

import logging
from collections.abc import Callable
from threading import Event
from typing import Any

import click
from flask import current_app

from idp import settings
from idp.audit import continuity
from idp.cli import application, metrics
from idp.readiness import agreement

log = logging.getLogger(__name__)


def options(once: str, pause: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Give a worker's command its ``--once`` and ``--pause``, each with this help."""
    seconds = click.FloatRange(0.1, 3600)
    both = (
        click.option("--pause", type=seconds, default=1.0, show_default=True, help=pause),
        click.option("--once", is_flag=True, help=once),
    )

    def decorate(function: Callable[..., Any]) -> Callable[..., Any]:
        for option in both:
            function = option(function)
        return function

    return decorate


def run(
    name: str, step: Callable[[], int], work: Callable[[Event, float], None], pause: float | None
) -> int:
    """Let a worker do what waits until it is stopped; without a ``pause``, what waits now.

    ``step`` does some, and returns how many things that were; returns the same of all of them.
    """
    application.speak(settings.current().log_level)
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
