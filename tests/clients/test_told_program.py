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

__all__ = ["issuer"]

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


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
    (tmp_path / "told.py").write_text(printed("told.py"))
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
