"""PKCE (RFC 7636; RFC 9700 §2.1.1): S256, a client's policy, no downgrade."""

import pytest
from flask.testing import FlaskClient

from tests.relying_party import World, error_of, world

pytestmark = pytest.mark.quick_on("sqlite")

NOT_A_CHALLENGE = ("short", "x" * 42, "x" * 44, "x" * 42 + "=", "é" * 43, "x" * 42 + "\n")


def redeemed(there: World, code: str, verifier: str | None) -> tuple[int, str]:
    return error_of(there.portal.redeem(there.http, code, code_verifier=verifier))


def test_the_right_verifier_redeems_the_code(client: FlaskClient) -> None:
    """RFC 7636 §4.6: the verifier is compared with the challenge of the request."""
    there = world(client, require_pkce=True)
    code = there.answer(**there.portal.pkce())["code"]

    response = there.portal.redeem(client, code, code_verifier=there.portal.verifier)

    assert response.status_code == 200


def test_the_example_of_rfc_7636_appendix_b(client: FlaskClient) -> None:
    """RFC 7636 §4.2: S256, as its own example has it."""
    there = world(client)
    there.portal.verifier = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
    challenge = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"

    fields = there.answer(code_challenge=challenge, code_challenge_method="S256")

    assert there.tokens_of(fields, code_verifier=there.portal.verifier)


def test_a_wrong_or_missing_verifier_gives_nothing(client: FlaskClient) -> None:
    """RFC 7636 §4.6: if the values are not equal: invalid_grant."""
    there = world(client)
    code = there.answer(**there.portal.pkce())["code"]
    challenge = there.portal.pkce()["code_challenge"]

    for wrong in (None, "", "x" * 43, challenge, there.portal.verifier[:-1]):
        assert redeemed(there, code, wrong) == (400, "invalid_grant"), wrong
    for malformed in ("short", "x" * 129, "é" * 43, "x" * 42 + "!"):
        status, error = redeemed(there, code, malformed)
        assert status == 400
        assert error in {"invalid_grant", "invalid_request"}


def test_a_verifier_without_a_challenge_is_refused_as_a_downgrade(client: FlaskClient) -> None:
    """RFC 9700 §2.1.1: a verifier without a challenge in the request is a downgrade."""
    there = world(client)
    code = there.answer()["code"]

    assert redeemed(there, code, there.portal.verifier) == (400, "invalid_grant")


def test_a_client_whose_policy_is_pkce_is_refused_without(client: FlaskClient) -> None:
    """RFC 7636 §4.4.1: a server that requires PKCE answers invalid_request without it."""
    there = world(client, require_pkce=True)

    assert there.answer()["error"] == "invalid_request"


def test_pkce_is_ticked_where_a_registration_says_nothing(client: FlaskClient) -> None:
    there = world(client, require_pkce=None)

    assert there.answer()["error"] == "invalid_request"


def test_pkce_is_not_forced_on_a_client_that_left_it_out(client: FlaskClient) -> None:
    there = world(client, require_pkce=False)

    assert there.redeem()["id_token"]


@pytest.mark.parametrize("policy", [True, False])
def test_public_clients_always_need_it(client: FlaskClient, policy: bool) -> None:
    """RFC 9700 §2.1.1: public clients MUST use PKCE."""
    there = world(client, token_endpoint_auth_method="none", require_pkce=policy)

    assert there.answer()["error"] == "invalid_request"
    fields = there.answer(**there.portal.pkce())
    assert there.tokens_of(fields, code_verifier=there.portal.verifier)


def test_plain_and_unknown_methods_are_refused(client: FlaskClient) -> None:
    """RFC 7636 §4.4.1: a method that is not supported is invalid_request."""
    there = world(client)
    challenge = there.portal.pkce()["code_challenge"]

    # RFC 7636 §4.3: without a method the challenge would be plain
    for method in (None, "plain", "s256", "S512", "é"):
        fields = there.answer(code_challenge=challenge, code_challenge_method=method)
        assert fields["error"] == "invalid_request", method
    assert there.answer(code_challenge_method="S256")["error"] == "invalid_request"


def test_a_malformed_challenge_is_refused_at_once(client: FlaskClient) -> None:
    """RFC 7636 §4.2: a challenge of S256 has 43 characters of the alphabet."""
    there = world(client)

    for challenge in NOT_A_CHALLENGE:
        fields = there.answer(code_challenge=challenge, code_challenge_method="S256")
        assert fields["error"] == "invalid_request", challenge
