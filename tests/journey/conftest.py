"""A provider whose mail leaves over a real connection, and a school to sign in to."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from flask import Flask

from idp.settings import Settings
from tests import smtp
from tests.conftest import settings_for_tests
from tests.journey.walk import Journey, journey
from tests.smtp import MailServer


@pytest.fixture
def mail_server() -> Iterator[MailServer]:
    with smtp.running() as server:
        yield server


@pytest.fixture
def settings(database_url: str, keys_folder: Path, mail_server: MailServer) -> Settings:
    return settings_for_tests(database_url, keys_folder, mail_port=mail_server.port)


@pytest.fixture
def parents(app: Flask, mail_server: MailServer) -> Journey:
    """The world of a journey: « parents » reads well in a test's first line."""
    return journey(app, mail_server)
