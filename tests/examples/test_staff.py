"""The demo's staff, made beside a clock that goes on."""

from types import SimpleNamespace

import pytest
from flask import Flask

from examples.demo import desk
from idp import clock
from idp.credentials import totp
from tests import factories

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


def test_half_a_minute_that_ends_meanwhile_stops_no_start(
    app: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    clerk = factories.account("zoe")
    readings = iter([clock.timestamp() - desk.APP_STEP, clock.timestamp()])
    monkeypatch.setattr(desk, "clock", SimpleNamespace(timestamp=lambda: next(readings)))

    desk._with_app(clerk)

    assert totp.is_on(clerk.id)
    assert next(readings, None) is None, "the first code was still one of now"
