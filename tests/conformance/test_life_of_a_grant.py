"""The life of what applications are given: whatever comes after what, by Hypothesis.

Nothing outlives what it hangs on, no code and no pushed request works twice, no child is told to
the application of another school, no stolen token works without its key, and every end reaches who
knew of it, and never of the sibling. The rules stand in ``life.py``.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest
from flask import Flask
from hypothesis import HealthCheck, settings
from hypothesis.stateful import run_state_machine_as_test

from idp import create_app
from idp.database import db
from idp.oidc.keys import Keyring
from tests import databases, receiver
from tests.apart import ApartClient
from tests.certificates import trusted_proxy
from tests.conformance.life import Life
from tests.conftest import settings_for_tests
from tests.receiver import Receiver

pytestmark = pytest.mark.slow


@pytest.fixture
def listening() -> Iterator[Receiver]:
    with receiver.running() as there:
        yield there


@pytest.fixture
def provider(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Flask]:
    Keyring(tmp_path / "keys").ensure()
    with databases.fresh(request.param) as url:
        app = create_app(settings_for_tests(url, tmp_path / "keys"))
        app.test_client_class = ApartClient
        with app.app_context():
            yield app
            db.session.remove()
            db.engine.dispose()


@pytest.mark.parametrize(
    ("provider", "lives"),
    [
        ("sqlite", 3),
        pytest.param("sqlite", 15, marks=pytest.mark.long),
        pytest.param("postgresql", 10, marks=pytest.mark.long),
    ],
    indirect=["provider"],
)
def test_whatever_comes_after_what(
    provider: Flask, listening: Receiver, tmp_path: Path, lives: int
) -> None:
    """RFC 9700 §4: no token outlives its grant, no code works twice, no child leaks."""
    there = {
        "app": provider,
        "authority": trusted_proxy(provider, tmp_path),
        "receiver": listening,
    }
    bounds = settings(
        max_examples=lives,
        stateful_step_count=25,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )
    run_state_machine_as_test(type("ThisLife", (Life,), there), settings=bounds)
