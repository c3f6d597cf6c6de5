"""``idp provider``: what is configured, and unlinking for somebody."""

from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask

from idp.database import transaction
from idp.federation import links
from idp.federation.identity import ForeignIdentity
from tests import factories
from tests.cli.conftest import Run, refused

pytestmark = pytest.mark.quick_on("postgresql")

JsonOf = Callable[..., Any]


def test_nothing_is_configured(run: Run, json_of: JsonOf) -> None:
    assert json_of("provider", "list") == []
    assert "(none)" in run("provider", "list").stdout


def test_a_link_is_shown_and_removed(run: Run, json_of: JsonOf, app: Flask) -> None:
    account = factories.account("claire.dubois")
    with transaction():
        links.make(account.id, ForeignIdentity("google", "https://accounts.google.com", "1"))
    assert json_of("user", "show", "claire.dubois")["linked"] == ["google"]

    run("provider", "unlink", "claire.dubois", "google")

    assert json_of("user", "show", "claire.dubois")["linked"] == []
    again = run("provider", "unlink", "claire.dubois", "google")
    assert "is not linked to google" in refused(again)
