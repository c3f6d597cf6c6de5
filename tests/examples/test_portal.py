"""The demo portal alone: what it says when the provider's answer is not what it hoped for."""

from pathlib import Path

import pytest
from flask.testing import FlaskClient

from examples.portal import create_app, school_life
from examples.portal.config import PortalConfig

NOBODY = "http://127.0.0.1:9"


@pytest.fixture
def portal(tmp_path: Path) -> FlaskClient:
    config = PortalConfig(
        school="École d'essai",
        theme="primary",
        issuer=NOBODY,
        client_id="portal",
        client_secret="secret",
        port=8001,
        visits_file=tmp_path / "visits.db",
    )
    return create_app(config).test_client()


def test_a_stranger_is_welcomed(portal: FlaskClient) -> None:
    page = portal.get("/").text
    assert 'id="sign-in"' in page
    assert "child-name" not in page


def test_a_cancelled_sign_in_says_so(portal: FlaskClient) -> None:
    answer = portal.get("/callback?error=access_denied&state=x")
    assert answer.status_code == 400
    assert "Connexion annulée" in answer.text
    assert '<code id="error-code">access_denied</code>' in answer.text


def test_a_parent_of_no_child_here_is_not_told_that_they_cancelled(portal: FlaskClient) -> None:
    answer = portal.get(
        "/callback?error=access_denied&state=x"
        "&error_description=The+guardian+has+no+child+at+this+school"
    )

    assert "Aucun enfant dans cette école" in answer.text
    assert "choisi de ne pas continuer" not in answer.text


def test_an_answer_of_another_provider_is_refused(portal: FlaskClient) -> None:
    answer = portal.get("/callback?code=c&state=s&iss=https://evil.example")
    assert answer.status_code == 400
    assert "invalid_request" in answer.text


def test_an_answer_that_nobody_asked_for_is_refused(portal: FlaskClient) -> None:
    answer = portal.get("/callback?code=c&state=s")
    assert answer.status_code == 400
    assert "invalid_state" in answer.text


def test_markup_in_an_error_stays_text(portal: FlaskClient) -> None:
    answer = portal.get("/callback?error=<b>x</b>&error_description=<script>y</script>")
    assert "<b>x" not in answer.text
    assert "<script>" not in answer.text


def test_a_provider_that_is_away_gives_a_page(portal: FlaskClient) -> None:
    answer = portal.get("/login")
    assert answer.status_code == 502
    assert "momentanément indisponible" in answer.text


def test_a_start_by_another_provider_is_refused(portal: FlaskClient) -> None:
    assert portal.get("/login?iss=https://evil.example").status_code == 400


def test_there_is_no_mailbox_and_no_helper_where_none_is_configured(portal: FlaskClient) -> None:
    assert portal.get("/mailbox").status_code == 404
    assert portal.get("/coup-de-pouce").status_code == 404


def test_a_child_has_the_same_week_whoever_looks() -> None:
    child = {"given_name": "Lina", "family_name": "Dubois", "class": "3B"}
    assert school_life.week_of(child, "college") == school_life.week_of(dict(child), "college")
    assert school_life.week_of(child, "college") != school_life.week_of(
        {**child, "class": "4B"}, "college"
    )
