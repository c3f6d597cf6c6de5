"""The authorization code flow, end to end (OpenID Connect Core §3.1)."""

import pytest
from flask.testing import FlaskClient

from tests import factories
from tests.relying_party import Browser, RelyingParty, claims_of

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
