"""A provider with other providers, and a parent in front of a browser."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from flask import Flask

from idp import create_app
from idp.database import db
from idp.settings import Settings
from idp.settings.providers import ProviderSettings
from tests.apart import ApartClient
from tests.conftest import settings_for_tests
from tests.federation import rogue
from tests.federation.rogue import CLIENT_ID, SECRET, Rogue
from tests.federation.worlds import Walker


@pytest.fixture
def google() -> Iterator[Rogue]:
    with rogue.serving() as running:
        yield running


@pytest.fixture
def other() -> Iterator[Rogue]:
    with rogue.serving() as running:
        yield running


@pytest.fixture
def settings(database_url: str, keys_folder: Path, google: Rogue, other: Rogue) -> Settings:
    """Google and Cabanga, each at a rogue of its own, and Facebook at Google's rogue."""
    common = {"client_id": CLIENT_ID, "client_secret": SECRET}
    providers = (
        ProviderSettings(key="google", issuer=google.address, **common),
        ProviderSettings(
            key="facebook",
            issuer="https://www.facebook.com",
            scopes="public_profile email",
            graph_url=google.address,
            dialog_url=google.address,
            **common,
        ),
        ProviderSettings(key="cabanga", issuer=other.address, **common),
    )
    return settings_for_tests(database_url, keys_folder, providers=providers)


@pytest.fixture
def app(settings: Settings) -> Iterator[Flask]:
    app = create_app(settings)
    app.testing = True
    app.test_client_class = ApartClient
    with app.app_context():
        yield app
        db.session.remove()
        db.engine.dispose()


@pytest.fixture
def here(app: Flask, google: Rogue) -> Walker:
    """A parent's browser, and Google, where the parent has an identity."""
    return Walker.of(app, google)
