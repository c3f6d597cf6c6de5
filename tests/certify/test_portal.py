"""The demo's portal passes every check."""

from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from flask import Flask

from examples.portal import create_app
from examples.portal.config import PortalConfig
from idp.certify.provider import CLIENT_ID, CLIENT_SECRET, TestProvider
from idp.clients.certification import PASSED
from tests.certify.conftest import Tried


@pytest.mark.long
def test_the_demos_portal_passes(
    tmp_path: Path,
    test_provider: TestProvider,
    tried: Tried,
    serve: Callable[[Callable[[str], Flask]], str],
) -> None:
    home = serve(
        lambda home: create_app(
            PortalConfig(
                school="École d'essai",
                theme="college",
                issuer=test_provider.issuer,
                client_id=CLIENT_ID,
                client_secret=CLIENT_SECRET,
                port=urlsplit(home).port or 0,
                visits_file=tmp_path / "visits.db",
            )
        )
    )

    told = {
        "backchannel_logout_uri": "logout-token/school",
        "security_events_uri": "security-events/school",
    }
    report = tried(home, patience=15, told=told)

    assert [each for each in report.results if each.verdict != PASSED] == []
