"""OpenID Connect Front-Channel Logout 1.0: what the browser loads when somebody signs out."""

import re
from html import unescape
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

import pytest
from flask.testing import FlaskClient

from idp.errors import Invalid
from tests import factories
from tests.relying_party import RelyingParty, World, answer, leads_to, world
from tests.times import later

pytestmark = pytest.mark.quick_on("sqlite")

FRAME = "https://portal.example/front?x=1"
HOME = "https://portal.example/"


@pytest.fixture
def here(client: FlaskClient) -> World:
    return world(client, frontchannel_logout_uri=FRAME)


def frames(page: Any) -> list[str]:
    """What scripts load; without them the same stands in frames."""
    found = [unescape(each) for each in re.findall(r'data-frame="([^"]+)"', page.text)]
    assert page.text.count("<iframe") == len(found)
    return found


def test_discovery_says_so(client: FlaskClient) -> None:
    """Front-Channel Logout 1.0 §3: discovery says that it is supported, with sid."""
    told = client.get("/.well-known/openid-configuration").json or {}
    assert told["frontchannel_logout_supported"] is True
    assert told["frontchannel_logout_session_supported"] is True


@pytest.mark.parametrize("uri", ["https://other.example/front", "https://portal.example:8443/x"])
def test_the_address_is_where_a_redirect_uri_is(here: World, uri: str) -> None:
    """Front-Channel Logout 1.0 §2: scheme, host and port are those of a registered redirect URI."""
    with pytest.raises(Invalid):
        RelyingParty.of(here.school, frontchannel_logout_uri=uri)


def test_the_page_after_signing_out_loads_it_with_iss_and_sid(here: World) -> None:
    """Front-Channel Logout 1.0 §2: the address, its own query and all, with iss and sid."""
    claims = here.claims()
    page = here.browser.open(
        "/oauth2/logout?" + urlencode({"id_token_hint": here.redeem()["id_token"]})
    )
    (frame,) = frames(page)
    assert frame.startswith(FRAME + "&")
    query = dict(parse_qsl(urlsplit(frame).query))
    assert query == {"x": "1", "iss": claims["iss"], "sid": claims["sid"]}
    assert here.browser.shows("logged-out")


def test_the_page_may_hold_these_origins_and_no_others(here: World) -> None:
    """Front-Channel Logout 1.0 §3: the page holds what is registered, and nothing else."""
    here.claims()
    here.browser.sign_out()
    assert here.browser.page is not None
    policy = here.browser.page.headers["Content-Security-Policy"]
    assert "frame-src https://portal.example;" in policy + ";"
    assert "default-src 'none'" in policy
    other = here.browser.open("/account/signed-out?told=forged")
    assert "frame-src" not in other.headers["Content-Security-Policy"]
    assert "data-frame" not in other.text


def test_it_goes_on_to_the_application_afterwards(here: World) -> None:
    """Front-Channel Logout 1.0 §3: after three seconds at most, without scripts too."""
    hint = here.redeem()["id_token"]
    asked = {"id_token_hint": hint, "post_logout_redirect_uri": HOME, "state": "s"}
    page = here.browser.open(f"/oauth2/logout?{urlencode(asked)}")
    assert page.status_code == 200
    assert f'content="3;url={HOME}?state=s"' in page.text
    assert f'data-on="{HOME}?state=s"' in page.text
    assert frames(page)


def test_whoever_is_asked_first_sees_it_as_well(here: World) -> None:
    """Front-Channel Logout 1.0 §3: a sign-out that was confirmed on our page loads it, too."""
    here.claims()
    asked = {"client_id": here.portal.client_id, "post_logout_redirect_uri": HOME}
    here.browser.open(f"/oauth2/logout?{urlencode(asked)}")
    page = here.browser.submit("logout-confirm", decision="sign-out")
    assert frames(page)
    assert HOME in page.text
    assert "frame-src https://portal.example" in page.headers["Content-Security-Policy"]


def test_the_button_of_our_own_pages_loads_it_too(here: World) -> None:
    """Front-Channel Logout 1.0 §3: whichever way somebody signs out at the provider."""
    here.claims()
    here.browser.sign_out()
    assert len(frames(here.browser.page)) == 1


def test_another_person_who_signs_in_has_the_former_ones_loaded_on_the_way(here: World) -> None:
    """Front-Channel Logout 1.0 §3: the session ends because somebody else signs in here."""
    sid, paul = here.claims()["sid"], factories.account("paul")
    here.ask(prompt="select_account")
    here.browser.press("another-person")

    page = here.browser.sign_in(paul.username)

    assert here.browser.shows("person-left")
    (frame,) = frames(page)
    assert dict(parse_qsl(urlsplit(frame).query))["sid"] == sid
    assert "frame-src https://portal.example;" in page.headers["Content-Security-Policy"] + ";"
    way_on = re.search(r'data-on="(/interaction/[^"]+)"', page.text)
    assert way_on, page.text
    assert 'content="3;url=/interaction/' in page.text
    assert "code" in answer(here.browser.open(way_on[1]))
    again = here.browser.open(page.request.full_path.replace("told=", "told=x"))
    assert "data-frame" not in again.text


def test_the_same_person_who_signs_in_again_goes_on_at_once(here: World) -> None:
    """Front-Channel Logout 1.0 §3: nobody has signed out."""
    here.claims()
    here.ask(prompt="login")
    assert "code" in answer(here.browser.sign_in("claire"))


def test_a_session_that_has_run_out_is_signed_out_as_any_other(here: World) -> None:
    """Front-Channel Logout 1.0 §3: applications go on by a session that is idle here."""
    sid = here.claims()["sid"]
    here.browser.open("/")
    with later(hours=9):
        here.browser.press("sign-out")
    (frame,) = frames(here.browser.page)
    assert dict(parse_qsl(urlsplit(frame).query))["sid"] == sid


def test_applications_outside_the_session_are_not_loaded(here: World) -> None:
    """Front-Channel Logout 1.0 §3: the applications logged in to in this session."""
    here.other_portal(frontchannel_logout_uri=FRAME)
    here.claims()
    here.browser.sign_out()
    assert len(frames(here.browser.page)) == 1


def test_without_registration_the_way_back_is_as_ever(client: FlaskClient) -> None:
    """Front-Channel Logout 1.0 §2: who registered nothing is not loaded."""
    here = world(client)
    hint = here.redeem()["id_token"]
    asked = {"id_token_hint": hint, "post_logout_redirect_uri": HOME}
    there = here.browser.open(f"/oauth2/logout?{urlencode(asked)}")
    assert there.status_code == 303
    assert leads_to(there) == HOME
