"""``idp notify work`` as a process of its own: from the act at the desk to the applications."""

import subprocess
from pathlib import Path
from time import monotonic

import pytest
from flask.testing import FlaskClient

from idp.database import db
from idp.lifecycle import endings
from tests import receiver
from tests.cli.conftest import start
from tests.conftest import environment_for_tests
from tests.receiver import until
from tests.relying_party import world

pytestmark = [pytest.mark.quick_on("sqlite"), pytest.mark.slow]


@pytest.mark.long
def test_of_three_applications_two_are_told_within_ten_seconds_while_one_hangs(
    client: FlaskClient, database_url: str, keys_folder: Path
) -> None:
    with receiver.running() as first, receiver.running() as second, receiver.running() as slow:
        slow.wait = 30
        here = world(client, "Lina", **first.registered())
        here.portal.redirect_uri = f"{first.address}/callback"
        others = [here.other_portal(**each.registered()) for each in (slow, second)]
        here.ask(scope="openid child")
        for portal, each in zip(others, (slow, second), strict=True):
            portal.redirect_uri = f"{each.address}/callback"
            here.browser.open(portal.authorize_path(scope="openid child"))
        environment = environment_for_tests(database_url, keys_folder)
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        worker = start(environment, "notify", "work", **quiet)
        try:
            endings.disable_account(here.guardian.id)  # what it tells shows that it is at work
            until(lambda: first.heard and second.heard and slow.heard, 60)
            for each in (first, second):
                each.heard.clear()
            began = monotonic()
            assert endings.end_guardianship(here.guardian.id, here.children[0].id, "court", "court")
            db.session.remove()
            until(lambda: first.heard and second.heard, 20)
            assert monotonic() - began < 10
        finally:
            worker.terminate()
            worker.wait(timeout=30)
        assert first.events(here.http)
        assert second.events(here.http)
