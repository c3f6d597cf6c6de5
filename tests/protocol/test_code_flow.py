"""The authorization code flow, end to end (OpenID Connect Core §3.1)."""

import pytest
from flask.testing import FlaskClient

from idp.database import db
from idp.sessions.models import Interaction
from tests import factories
from tests.relying_party import Browser, RelyingParty, claims_of, world

pytestmark = pytest.mark.quick_on("sqlite")


def test_a_guardian_with_one_child_signs_in_and_the_id_token_names_both(
    client: FlaskClient,
) -> None:
    school = factories.school()
    factories.family(school, "Lina", username="claire")
    portal = RelyingParty(factories.client_app(school))

    tokens = portal.tokens(Browser(client), "claire", scope="openid child", nonce="n-1")

    claims = claims_of(client, tokens["id_token"])
    assert claims["aud"] == portal.client_id
    assert claims["nonce"] == "n-1"
    assert claims["child"]["given_name"] == "Lina"
    assert claims["sub"] != claims["child"]["sub"]


def test_a_plain_request_that_waits_is_kept_as_the_former_release_reads_it(
    client: FlaskClient,
) -> None:
    """Its workers may serve beside ours while we are brought up, and leave out what they don't
    know: whether it came signed, which is asked since.
    """
    known = (
        "client_id redirect_uri scope response_mode state nonce prompt max_age code_challenge"
        " claims acr_values login_hint child_hint ui_locales hinted_subject signed"
    )
    there = world(client, signed_in=False)
    there.ask(nonce="n", scope="openid child", **there.portal.pkce())
    there.browser.submit("login-form", username="claire", password="wrong")
    there.browser.press("login-cancel")

    db.session.commit()
    kept = db.session.query(Interaction).one().request
    assert kept["nonce"] == "n"
    assert set(kept) <= set(known.split())
