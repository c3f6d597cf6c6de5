"""OpenID Connect Back-Channel Logout 1.0: what is told, to whom, when, and what answers mean."""

from collections.abc import Iterator
from typing import Any

import pytest
from flask.testing import FlaskClient
from joserfc import jws
from sqlalchemy import select

from idp import clock, purge
from idp.clients import registration
from idp.database import db
from idp.deliveries import worker
from idp.deliveries.models import EventDelivery
from idp.errors import Invalid
from idp.lifecycle import endings
from idp.oidc.models import Grant
from idp.sessions.models import BrowserSession
from tests import factories, receiver
from tests.receiver import Receiver
from tests.relying_party import Browser, RelyingParty, World, answer, claims_of, world
from tests.times import later

pytestmark = pytest.mark.quick_on("sqlite")


@pytest.fixture
def there() -> Iterator[Receiver]:
    with receiver.running() as listening:
        yield listening


@pytest.fixture
def here(client: FlaskClient, there: Receiver) -> World:
    made = world(client, "Lina", **there.registered())
    made.portal.redirect_uri = f"{there.address}/callback"
    return made


def signed_in(here: World, **parameters: Any) -> dict[str, Any]:
    """The claims of an ID token of the portal."""
    return here.claims(**parameters)


def rows() -> list[EventDelivery]:
    db.session.rollback()
    query = select(EventDelivery).order_by(EventDelivery.id)
    return list(db.session.scalars(query.execution_options(populate_existing=True)))


def test_discovery_says_that_sessions_are_told(client: FlaskClient) -> None:
    """Back-Channel Logout 1.0 §2.1: discovery says that it is supported, with sid."""
    told = client.get("/.well-known/openid-configuration").json
    assert told["backchannel_logout_supported"] is True  # type: ignore[index]
    assert told["backchannel_logout_session_supported"] is True  # type: ignore[index]


@pytest.mark.parametrize(
    "uri",
    ["http://portal.example/logout", "https://portal.example/#x", "/logout", "ftp://x.example"],
)
def test_an_address_without_tls_or_with_a_fragment_is_not_registered(here: World, uri: str) -> None:
    """Back-Channel Logout 1.0 §2.2: the address is absolute, https, without fragment."""
    with pytest.raises(Invalid):
        RelyingParty.of(here.school, backchannel_logout_uri=uri)


def test_the_logout_token_holds_what_it_must_and_nothing_that_it_must_not(
    here: World, there: Receiver
) -> None:
    """Back-Channel Logout 1.0 §2.4: iss, aud, iat, exp, jti, events, sub, sid; no nonce."""
    known = signed_in(here, nonce="n1")
    here.browser.sign_out()

    assert worker.deliver_due() == 1

    (heard,) = there.heard
    assert heard.content_type == "application/x-www-form-urlencoded"
    (told,) = there.logouts(here.http)
    assert told["iss"] == known["iss"]
    assert told["aud"] == here.portal.client_id
    assert 0 < told["exp"] - told["iat"] <= 120
    assert abs(told["iat"] - clock.timestamp()) < 60
    assert told["events"] == {"http://schemas.openid.net/event/backchannel-logout": {}}
    assert (told["sub"], told["sid"]) == (known["sub"], known["sid"])
    assert len(told["jti"]) >= 16
    assert "nonce" not in told


@pytest.mark.parametrize("alg", ["RS256", "ES256"])
def test_the_logout_token_is_signed_as_id_tokens_are(
    client: FlaskClient, there: Receiver, alg: str
) -> None:
    """Back-Channel Logout 1.0 §2.4: signed with the algorithm of the ID tokens."""
    here = world(client, **there.registered(), id_token_signed_response_alg=alg)
    here.portal.redirect_uri = f"{there.address}/callback"
    signed_in(here)
    here.browser.sign_out()
    worker.deliver_due()
    assert there.logouts(here.http)[0]["aud"] == here.portal.client_id
    assert jws.extract_compact(there.tokens("/logout")[0].encode()).headers()["alg"] == alg


def test_a_logout_token_is_no_id_token_hint(here: World, there: Receiver) -> None:
    """Back-Channel Logout 1.0 §2.4: a logout token can't pass for an ID token."""
    signed_in(here)
    here.browser.sign_out()
    worker.deliver_due()
    here.browser.sign_in_at_home("claire")
    here.browser.open(f"/oauth2/logout?id_token_hint={there.tokens('/logout')[0]}")
    assert here.browser.shows("logout-confirm")


def test_only_applications_of_the_session_are_told(here: World, there: Receiver) -> None:
    """Back-Channel Logout 1.0 §2.3: the applications logged in to in this session."""
    other = here.other_portal(**there.registered(), client_name="Not used")
    signed_in(here)
    elsewhere = Browser(here.http.application.test_client())
    elsewhere.sign_in_at_home("claire")
    elsewhere.sign_out()
    assert worker.deliver_due() == 0
    here.browser.sign_out()
    assert worker.deliver_due() == 1
    assert there.logouts(here.http)[0]["aud"] != other.client_id


def test_an_application_that_did_not_register_is_told_nothing(client: FlaskClient) -> None:
    """Back-Channel Logout 1.0 §2.2: without an address nobody is told."""
    here = world(client)
    here.redeem()
    here.browser.sign_out()
    assert rows() == []


def test_a_rp_initiated_logout_tells_the_others_and_who_asked(here: World, there: Receiver) -> None:
    """Back-Channel Logout 1.0 §2.7: an RP-initiated logout ends every application's."""
    other = here.other_portal(**there.registered(), client_name="Second")
    other.redirect_uri = here.portal.redirect_uri
    hint = here.redeem()["id_token"]
    here.browser.open(other.authorize_path())
    here.browser.open(f"/oauth2/logout?id_token_hint={hint}")
    worker.deliver_due()
    told = {each["aud"] for each in there.logouts(here.http)}
    assert told == {here.portal.client_id, other.client_id}


def test_each_try_is_a_token_of_its_own(here: World, there: Receiver) -> None:
    """Back-Channel Logout 1.0 §2.6: whoever remembers jti takes a second try, too."""
    signed_in(here)
    here.browser.sign_out()
    there.status = 500
    worker.deliver_due()
    there.status = 200
    with later(seconds=6):
        worker.deliver_due()
        first, second = there.logouts(here.http)
    assert first["jti"] != second["jti"]
    assert first["sid"] == second["sid"]
    assert [(each.status, each.attempts) for each in rows()] == [("told", 2)]


@pytest.mark.parametrize("status", [200, 204])
def test_200_says_that_it_is_told_and_204_too(here: World, there: Receiver, status: int) -> None:
    """Back-Channel Logout 1.0 §2.8: 200 says that it worked; some answer 204."""
    signed_in(here)
    here.browser.sign_out()
    there.status = status
    worker.deliver_due()
    (row,) = rows()
    assert (row.status, row.answer) == ("told", str(status))
    assert row.finished_at is not None


def test_400_with_an_error_is_final_and_shown(here: World, there: Receiver) -> None:
    """Back-Channel Logout 1.0 §2.8: 400 with an error says that it failed for good."""
    signed_in(here)
    here.browser.sign_out()
    there.refuses(400, error="invalid_request", error_description="unknown <b>sid</b>")
    worker.deliver_due()
    (row,) = rows()
    assert row.status == "refused"
    assert row.answer == "400 “invalid_request: unknown <b>sid</b>”"
    with later(hours=1):
        assert worker.deliver_due() == 0


def test_an_address_that_is_gone_is_not_asked_again(here: World, there: Receiver) -> None:
    """RFC 9110 §15.5.11: 410 is likely to be permanent."""
    signed_in(here)
    here.browser.sign_out()
    there.status = 410
    worker.deliver_due()
    (row,) = rows()
    assert (row.status, row.answer) == ("refused", "410")


@pytest.mark.parametrize("status", [400, 404, 405, 500, 503])
def test_other_answers_are_tried_again(here: World, there: Receiver, status: int) -> None:
    """Back-Channel Logout 1.0 §2.8: a failure that may pass is tried again."""
    signed_in(here)
    here.browser.sign_out()
    there.status = status
    worker.deliver_due()
    (row,) = rows()
    assert (row.status, row.attempts, row.answer) == ("waiting", 1, str(status))


def test_a_redirect_is_not_followed(here: World, there: Receiver) -> None:
    """Back-Channel Logout 1.0 §2.5: the token goes to the registered address only."""
    signed_in(here)
    here.browser.sign_out()
    there.status, there.location = 307, f"{there.address}/elsewhere"
    worker.deliver_due()
    assert [each.path for each in there.heard] == ["/logout"]
    assert rows()[0].answer == "redirect"


def test_withdrawing_consent_tells_that_application_alone(here: World, there: Receiver) -> None:
    """Back-Channel Logout 1.0 §2.3: an application whose permission ends is told."""
    third = here.other_portal(**there.registered(), first_party=False, client_name="Cantine")
    third.redirect_uri = here.portal.redirect_uri
    signed_in(here)
    here.browser.open(third.authorize_path())
    here.browser.press("consent-allow")
    endings.withdraw_consent(here.guardian.id, third.client_id)
    worker.deliver_due()
    assert [each["aud"] for each in there.logouts(here.http)] == [third.client_id]


def test_signing_out_elsewhere_and_resets_tell_each_session(here: World, there: Receiver) -> None:
    """Back-Channel Logout 1.0 §2.3: every session that ends is told, by its sid."""
    first = signed_in(here)
    elsewhere = Browser(here.http.application.test_client())
    elsewhere.open(here.portal.authorize_path())
    elsewhere.sign_in("claire")
    keep = db.session.scalars(
        select(BrowserSession.id).order_by(BrowserSession.created_at.desc()).limit(1)
    ).one()
    endings.end_other_sessions(here.guardian.id, keep=keep)
    worker.deliver_due()
    assert [each["sid"] for each in there.logouts(here.http)] == [first["sid"]]
    endings.disable_account(here.guardian.id)
    worker.deliver_due()
    assert len({each["sid"] for each in there.logouts(here.http)}) == 2


def test_signing_in_anew_ends_the_former_session_and_not_the_new_one(
    here: World, there: Receiver
) -> None:
    """Back-Channel Logout 1.0 §2.4: a session that was replaced is told by sid alone."""
    before = signed_in(here)
    here.ask(prompt="login")
    here.browser.sign_in("claire")
    worker.deliver_due()
    (told,) = there.logouts(here.http)
    assert told["sid"] == before["sid"]
    assert "sub" not in told
    assert signed_in(here, prompt="none")["sid"] != before["sid"]


def test_a_logout_that_is_told_late_does_not_end_a_later_sign_in(
    here: World, there: Receiver
) -> None:
    """Back-Channel Logout 1.0 §2.4: after a later sign-in an ended session is told by sid alone."""
    before = signed_in(here)
    here.browser.sign_out()
    here.browser.sign_in_at_home("claire")
    after = signed_in(here)
    worker.deliver_due()
    (told,) = there.logouts(here.http)
    assert told["sid"] == before["sid"] != after["sid"]
    assert "sub" not in told


def test_signing_out_of_a_session_that_has_run_out_tells_as_any_sign_out(
    here: World, there: Receiver
) -> None:
    """RP-Initiated Logout 1.0 §2: whoever asks to sign out is signed out, after idle hours too."""
    known = signed_in(here)
    offline = here.redeem(scope="openid offline_access")
    hint = here.redeem()["id_token"]
    with later(hours=9):
        page = here.browser.open(f"/oauth2/logout?id_token_hint={hint}")
        worker.deliver_due()
        (told,) = there.logouts(here.http)
        again = here.portal.refresh(here.http, offline["refresh_token"])
    assert here.browser.shows("logged-out"), page.text
    assert (told["sub"], told["sid"]) == (known["sub"], known["sid"])
    assert again.status_code == 200, "offline_access outlives the session, as ever"
    lives = db.session.scalars(select(Grant.scope).where(Grant.ended_at.is_(None))).all()
    assert set(lives) == {"openid offline_access"}


def test_without_a_hint_it_asks_about_a_session_that_has_run_out(
    here: World, there: Receiver
) -> None:
    """RP-Initiated Logout 1.0 §2: a link of anybody's signs nobody out unasked."""
    signed_in(here)
    with later(hours=9):
        here.browser.open(f"/oauth2/logout?client_id={here.portal.client_id}")
        assert here.browser.shows("logout-confirm")
        assert worker.deliver_due() == 0
        here.browser.submit("logout-confirm", decision="sign-out")
        worker.deliver_due()
    assert len(there.logouts(here.http)) == 1


def test_who_signs_in_after_another_ones_session_has_run_out_ends_it(
    here: World, there: Receiver
) -> None:
    """Back-Channel Logout 1.0 §2.3: what another person left open in a browser ends."""
    known = signed_in(here)
    factories.account("paul")
    with later(hours=9):
        here.browser.sign_in_at_home("paul")
        worker.deliver_due()
    assert [each["sid"] for each in there.logouts(here.http)] == [known["sid"]]


def test_a_session_that_merely_runs_out_is_not_told(here: World, there: Receiver) -> None:
    """Back-Channel Logout 1.0 §2.3: nobody has signed out, and both sides know the time."""
    signed_in(here)
    with later(hours=9):
        here.browser.sign_in_at_home("claire")
    with later(days=40):
        purge.run(pause=0)
        assert worker.deliver_due() == 0
    assert there.heard == []


def test_an_application_that_changed_its_mind_is_not_told(here: World, there: Receiver) -> None:
    """Back-Channel Logout 1.0 §2.2: the registration counts when it is told."""
    signed_in(here)
    here.browser.sign_out()
    document = {
        name: value
        for name, value in here.portal.registered.client.metadata_.items()
        if not name.startswith("backchannel")
    }
    registration.change(here.portal.client_id, document)
    worker.deliver_due()
    assert there.heard == []
    assert [each.status for each in rows()] == ["dropped"]


def test_an_id_token_carries_the_session(here: World) -> None:
    """Back-Channel Logout 1.0 §2.1: ID tokens hold sid, another one for each client."""
    other = here.other_portal()
    mine = signed_in(here)["sid"]
    there = here.browser.open(other.authorize_path())
    tokens = other.redeem(here.http, answer(there)["code"]).json
    assert claims_of(here.http, tokens["id_token"])["sid"] != mine  # type: ignore[index]
