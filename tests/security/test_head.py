"""P7, RFC 9110 §9.2.1: asking by HEAD makes nothing, ends nothing, uses nothing up."""

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import func, select

from idp.database import db
from idp.oidc.models import AuthorizationCode, Grant
from idp.sessions import service as sessions
from idp.sessions.models import Interaction
from idp.web.guards import GET_ACTS
from tests.relying_party import answer, leads_to, world

pytestmark = pytest.mark.quick_on("sqlite")


def count(model: type) -> int:
    db.session.rollback()
    return db.session.scalar(select(func.count()).select_from(model)) or 0


def test_head_at_the_authorization_endpoint_makes_no_code(client: FlaskClient) -> None:
    there = world(client, "Lina")
    path = there.portal.authorize_path(scope="openid child")
    before = count(Interaction)

    response = client.head(path)

    assert response.status_code == 405
    assert "GET" in response.headers["Allow"]
    assert "HEAD" not in response.headers["Allow"]
    assert not leads_to(response)
    assert (count(Grant), count(AuthorizationCode)) == (0, 0)
    assert count(Interaction) == before
    assert "code" in answer(client.get(path))


def test_head_does_not_go_on_with_a_waiting_request(client: FlaskClient) -> None:
    there = world(client, "Lina", "Noé")
    page = there.ask(scope="openid child")
    waiting = page.request.path.removesuffix("/child")
    assert client.head(waiting).status_code == 405
    assert count(Grant) == 0


def test_head_signs_nobody_out(client: FlaskClient) -> None:
    there = world(client, "Lina")
    id_token = there.redeem()["id_token"]
    response = client.head(f"/oauth2/logout?id_token_hint={id_token}")
    assert response.status_code == 405
    assert len(sessions.live(there.guardian.id)) == 1


def test_head_at_a_page_is_its_get_without_a_body(client: FlaskClient) -> None:
    world(client, "Lina")
    response = client.head("/account/profile")
    assert response.status_code == 200
    assert response.data == b""


@pytest.mark.parametrize("endpoint", sorted(GET_ACTS))
def test_every_endpoint_that_is_named_exists(app: Flask, endpoint: str) -> None:
    assert any("GET" in (rule.methods or ()) for rule in app.url_map.iter_rules(endpoint))
