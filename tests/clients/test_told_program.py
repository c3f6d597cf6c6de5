"""The guide's program that is told what has ended, run as printed, and told by the real worker."""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from idp.clients import registration
from idp.deliveries import listing, worker
from idp.lifecycle import endings
from tests.clients.documented import free_port, printed, started
from tests.clients.test_authlib_client import issuer
from tests.relying_party import World, world
from tests.times import later

__all__ = ["issuer"]

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


CLOSES = (
    'print(f"end the sessions of {guardian} that are about {child}, and no others", flush=True)'
)
STORE = """
    if os.path.exists("away"):
        raise OSError("the database is away")
    with open("closed", "a") as file:
        print(child, file=file)
"""


@pytest.fixture
def here(issuer: str, tmp_path: Path) -> Iterator[World]:
    """A parent who has signed in to an application that is told by the printed program."""
    from flask import current_app

    port = free_port()
    home = f"http://127.0.0.1:{port}"
    app = current_app._get_current_object()  # type: ignore[attr-defined]
    there = world(app.test_client(), "Lina", redirect_uris=[f"{home}/callback"])
    document: dict[str, Any] = {
        **there.portal.registered.client.metadata_,
        "post_logout_redirect_uris": [],
        "backchannel_logout_uri": f"{home}/logout-token",
        "security_events_uri": f"{home}/security-events",
    }
    registration.change(there.portal.client_id, document)
    there.portal.redirect_uri = f"{home}/callback"
    program = printed("told.py")
    assert program.count(CLOSES) == 1
    (tmp_path / "told.py").write_text(program.replace(CLOSES, STORE.strip()))
    flask = [sys.executable, "-m", "flask", "--app", "told", "run", "--port", str(port)]
    variables = {"ISSUER": issuer, "CLIENT_ID": there.portal.client_id}
    with started(flask, tmp_path, port, variables):
        yield there


def answers(here: World) -> list[tuple[str, str, str | None]]:
    shown = listing.of_client(here.portal.client_id)
    return [(each.row.event, each.row.status, each.row.answer) for each in shown]


def test_the_program_takes_a_logout_token_and_a_security_event(here: World) -> None:
    here.redeem(scope="openid child")
    endings.end_guardianship(here.guardian.id, here.children[0].id, "court")
    here.browser.sign_out()

    assert worker.deliver_due() == 2

    assert answers(here) == [("logout", "told", "200"), ("guardianship-ended", "told", "202")]


def test_the_program_closes_at_the_second_try_what_it_could_not_close_at_the_first(
    here: World, tmp_path: Path
) -> None:
    """The same event comes again, with the ``jti`` that it had."""
    here.redeem(scope="openid child")
    (tmp_path / "away").touch()
    endings.end_guardianship(here.guardian.id, here.children[0].id, "court")
    worker.deliver_due()
    ((_, status, _),) = answers(here)
    assert status == "waiting"
    assert not (tmp_path / "closed").exists()

    (tmp_path / "away").unlink()
    with later(minutes=2):
        worker.deliver_due()

    assert answers(here) == [("guardianship-ended", "told", "202")]
    assert len((tmp_path / "closed").read_text().splitlines()) == 1


def test_the_program_refuses_what_is_for_somebody_else(here: World) -> None:
    other = here.other_portal(redirect_uris=[here.portal.redirect_uri])
    taken = here.portal.registered.client.metadata_
    document = {**taken, "client_name": "Other", "post_logout_redirect_uris": []}
    present = registration.get_client(here.portal.client_id).metadata_
    document |= {"backchannel_logout_uri": present["backchannel_logout_uri"]}
    registration.change(other.client_id, document)
    other.redirect_uri = here.portal.redirect_uri
    here.browser.open(other.authorize_path())
    here.browser.sign_out()

    worker.deliver_due()

    (row,) = listing.of_client(other.client_id)
    assert (row.row.status, row.row.answer) == ("refused", "400 “invalid_request”")
