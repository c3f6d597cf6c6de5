"""Moving the clock: every part of the provider asks the same one."""

from contextlib import AbstractContextManager
from datetime import datetime, timedelta
from typing import Any

import time_machine
from flask import Flask
from flask_babel import force_locale

from idp import clock
from idp.web import dates


def standing_still() -> AbstractContextManager[Any]:
    """Run a block in no time at all: however slow the machine, no pause is over meanwhile."""
    return time_machine.travel(clock.now(), tick=False)


def later(**duration: float) -> AbstractContextManager[Any]:
    """Run a block as if this much time had passed: ``later(minutes=5)``."""
    return time_machine.travel(clock.now() + timedelta(**duration), tick=True)


def shown_day(app: Flask, when: datetime) -> str:
    """Tell the day as our English pages write it: the platform's, not the one of UTC."""
    with app.test_request_context(), force_locale("en"):
        return dates.day(when)
