"""Time stands still: a count may not depend on which cache expires while it is taken."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from time import monotonic
from typing import Any

import pytest
import time_machine

from idp import clock
from idp.audit import continuity
from idp.clients import kept, origins
from idp.database import silence
from idp.doctor import measured
from idp.oidc import database_store, refusals
from idp.readiness import write_probe
from idp.web import ready_documents, short_way, trusted_proxies

WITH_AN_EXPIRY: tuple[Any, ...] = (
    *(continuity, write_probe, trusted_proxies, origins, refusals),
    *(ready_documents, short_way, kept, silence, measured, database_store),
)
"""The modules that believe something for some seconds, by ``monotonic``."""


@contextmanager
def time_stands_still() -> Iterator[None]:
    """Neither the clock nor the age of what is kept moves; the database is looked at no more."""
    now = monotonic()
    with ExitStack() as stack:
        patches = stack.enter_context(pytest.MonkeyPatch.context())
        for module in WITH_AN_EXPIRY:
            patches.setattr(module, "monotonic", lambda: now)
        patches.setattr(continuity.Watch, "goes_on", lambda watch: watch._goes_on)
        stack.enter_context(time_machine.travel(clock.now(), tick=False))
        yield
