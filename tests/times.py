"""Moving the clock: every part of the provider asks the same one."""

from contextlib import AbstractContextManager
from datetime import timedelta
from typing import Any

import time_machine

from idp import clock


def standing_still() -> AbstractContextManager[Any]:
    """Run a block in no time at all: however slow the machine, no pause is over meanwhile."""
    return time_machine.travel(clock.now(), tick=False)


def later(**duration: float) -> AbstractContextManager[Any]:
    """Run a block as if this much time had passed: ``later(minutes=5)``."""
    return time_machine.travel(clock.now() + timedelta(**duration), tick=True)
