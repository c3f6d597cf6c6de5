"""Pairwise subjects (OpenID Connect Core §8.1), wherever a token or an answer names one."""

import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from flask.testing import FlaskClient
from joserfc import jws

from idp.clients import sectors
from idp.clients.metadata import DEVICE_CODE, GUARDIANSHIP_ENDED, SECURITY_EVENTS, TOKEN_EXCHANGE
from idp.deliveries import worker
from idp.lifecycle import endings
from idp.outgoing.documents import Documents
from tests import receiver
from tests.conformance.test_device_grant import allow, asked, poll
from tests.conformance.test_token_exchange import exchanged
from tests.outgoing import servers
from tests.outgoing.servers import reply
from tests.receiver import Receiver
from tests.relying_party import RelyingParty, World, claims_of, world

pytestmark = pytest.mark.quick_on("sqlite")

API = "https://api.example/homework"
SCOPE = "openid email child offline_access"
Known = tuple[str, str | None]
"""The guardian and the child, as one place names them; a logout token names no child."""


@pytest.fixture
def listening() -> Iterator[list[Receiver]]:
    """Three applications' servers, each an origin of its own."""
    with receiver.running() as one, receiver.running() as two, receiver.running() as three:
        yield [one, two, three]


@pytest.fixture
def sector(listening: list[Receiver], monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The address of a sector that lists the redirect URIs of the first two of them."""
    fresh = Documents("sector_identifier_uri", sectors._of_answer)
    monkeypatch.setattr(sectors, "_sector_documents", fresh)
    with servers.running() as server:
        listed = [f"{each.address}/callback" for each in listening[:2]]
        server.answer = reply(json.dumps(listed).encode())
        yield server.address()


def application(there: World, at: Receiver, **metadata: Any) -> World:
    portal = there.other_portal(
        **at.registered(*SECURITY_EVENTS),
        grant_types=["authorization_code", "refresh_token", DEVICE_CODE, TOKEN_EXCHANGE],
        resources=[API],
        email_claim="unique",
        **metadata,
    )
    return replace(there, portal=portal)


def named_in_tokens(here: World) -> dict[str, Known]:
    """Whom each token and answer of an application is about."""
    http, portal = here.http, here.portal
    told = here.redeem(scope=SCOPE, resource=API)
    again = portal.refresh(http, told["refresh_token"]).json or {}
    plain = here.redeem(scope=SCOPE)
    codes = asked(portal, http, scope="openid child")
    allow(here.browser, codes["user_code"])
    screen = poll(portal, http, codes["device_code"]).json or {}
    userinfo = portal.userinfo(http, plain["access_token"]).json or {}
    documents = {
        "ID token": claims_of(http, told["id_token"]),
        "JWT access token": claims_of(http, told["access_token"]),
        "ID token of a refresh": claims_of(http, again["id_token"]),
        "JWT access token of a refresh": claims_of(http, again["access_token"]),
        "UserInfo": userinfo,
        "introspection": portal.introspect(http, plain["access_token"]),
        "introspection of a refresh token": portal.introspect(http, plain["refresh_token"]),
        "token exchange": claims_of(
            http, exchanged(here, plain["access_token"], resource=API)["access_token"]
        ),
        "ID token of a screen": claims_of(http, screen["id_token"]),
        "UserInfo of a screen": portal.userinfo(http, screen["access_token"]).json or {},
    }
    known: dict[str, Known] = {
        place: (each["sub"], each.get("child", {}).get("sub")) for place, each in documents.items()
    }
    known["made-up address"] = (userinfo["email"].partition("@")[0], None)
    return known


def named_when_told(here: World, at: Receiver) -> dict[str, Known]:
    """Whom an application was told of."""
    (event,) = (each for each in at.events(here.http) if GUARDIANSHIP_ENDED in each["events"])
    child = event["events"][GUARDIANSHIP_ENDED]["child"]["sub"]
    (ended,) = at.logouts(here.http)
    return {
        "security event": (event["sub_id"]["sub"], child),
        "logout token": (ended["sub"], None),
    }


@pytest.fixture
def known(client: FlaskClient, listening: list[Receiver], sector: str) -> list[dict[str, Known]]:
    """What three applications learn of one guardian with one child; the first two are of one
    sector.
    """
    there = world(client, "Lina")
    one, two, other = (
        application(there, at, **({"sector_identifier_uri": sector} if at in listening[:2] else {}))
        for at in listening
    )
    named = [named_in_tokens(each) for each in (one, two, other)]
    assert endings.end_guardianship(there.guardian.id, there.children[0].id, "court", "court")
    there.browser.sign_out()
    while worker.deliver_due():
        pass
    told = [
        named_when_told(each, at) for each, at in zip((one, two, other), listening, strict=True)
    ]
    return [{**each, **more} for each, more in zip(named, told, strict=True)]


def guardians(of: dict[str, Known]) -> set[str]:
    return {guardian for guardian, _child in of.values()}


def children(of: dict[str, Known]) -> set[str]:
    return {child for _guardian, child in of.values() if child is not None}


def test_two_applications_of_a_sector_know_the_same_people_and_a_third_knows_others(
    known: list[dict[str, Known]],
) -> None:
    """OpenID Connect Core §8.1: within a sector one subject, in every token; in another, another:
    of the guardian and of the child.
    """
    one, two, other = known

    for each in known:
        assert len(guardians(each)) == 1, each
        assert len(children(each)) == 1, each
    assert {place for place, (_guardian, child) in one.items() if child is None} == {
        *("introspection", "introspection of a refresh token", "made-up address", "logout token")
    }
    assert len(one) == 13
    assert one == two
    assert not (guardians(one) | children(one)) & (guardians(other) | children(other))


def test_public_subjects_are_the_same_in_every_sector(
    client: FlaskClient, listening: list[Receiver]
) -> None:
    """OpenID Connect Core §8: public: the same sub to all clients, and none of a pairwise one."""
    there = world(client, "Lina")
    one, two = (application(there, at, subject_type="public") for at in listening[:2])
    pairwise = application(there, listening[0])

    first, second = named_in_tokens(one), named_in_tokens(two)

    assert first == second
    assert len(guardians(first)) == len(children(first)) == 1
    assert guardians(first).isdisjoint(guardians(named_in_tokens(pairwise)))


def test_what_we_call_people_ourselves_stands_nowhere(
    client: FlaskClient, listening: list[Receiver]
) -> None:
    """OpenID Connect Core §8.1: the sub can't be turned into the account by who does not hold the
    key, and no other member of a token names it.
    """
    there = world(client, "Lina")
    here = application(there, listening[0])
    told = here.redeem(scope=SCOPE, resource=API)
    texts = [
        *(
            jws.extract_compact(told[each].encode()).payload
            for each in ("id_token", "access_token")
        ),
        json.dumps(here.portal.introspect(here.http, told["refresh_token"])).encode(),
    ]
    guardian, child = there.guardian, there.children[0]

    for text in texts:
        for ours in (guardian.id, guardian.subject_id, child.id, child.subject_id):
            assert ours.encode() not in text


def test_sessions_are_compared_by_nobody(
    client: FlaskClient, listening: list[Receiver], sector: str
) -> None:
    """Back-Channel Logout 1.0 §2.1: sid is one application's, within a sector too."""
    there = world(client, "Lina")
    sids = {
        application(there, at, sector_identifier_uri=sector).claims()["sid"] for at in listening[:2]
    }

    assert len(sids) == 2


@pytest.mark.parametrize("host", ["127.0.0.1", "[::1]", "localhost"])
def test_programs_at_loopback_have_a_sector_each(client: FlaskClient, host: str) -> None:
    """RFC 8252 §7.3: loopback is nobody's, so two vendors know no people by one subject."""
    there = world(client, "Lina")
    one, other = (
        RelyingParty.of(
            there.school, client_name=name, application_type="native", first_party=False,
            redirect_uris=[f"http://{host}/callback"], post_logout_redirect_uris=[],
            token_endpoint_auth_method="none",
        ).registered.client
        for name in ("One vendor", "Another")
    )  # fmt: skip
    assert (one.sector, other.sector) == (f"client:{one.id}", f"client:{other.id}")
