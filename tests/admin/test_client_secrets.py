"""Secrets of applications at the desk, and taking one out of use (security rules A3, R13)."""

import re
import threading
from collections.abc import Callable
from datetime import timedelta

import pytest
from flask import Flask

from idp.clients import registration
from idp.clients.models import Client
from idp.database import db
from idp.desk.access.rights import AT_TERMINAL, Staff
from idp.desk.applications import service as applications
from idp.errors import Conflict, NotFound
from tests import factories
from tests.admin.client_forms import LIST
from tests.admin.places import Desk
from tests.relying_party import Browser, RelyingParty
from tests.times import later

pytestmark = pytest.mark.quick_on("sqlite")

on_sqlite = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


def fresh(client_id: str) -> Client:
    db.session.rollback()
    db.session.expire_all()
    return registration.get_client(client_id)


def works(desk: Desk, portal: RelyingParty, secret: str) -> bool:
    """Whether this secret proves the application at the token endpoint."""
    http = desk.app.test_client(use_cookies=False)
    answer = http.post(
        "/oauth2/token",
        data={"grant_type": "authorization_code", "code": "x"},
        auth=(portal.client_id, secret),
    )
    return answer.status_code == 400  # the code is wrong; 401 where the secret is


def rotate(desk: Desk, portal: RelyingParty, overlap: str) -> tuple[Browser, str]:
    operator = desk.browser("operator")
    operator.open(f"{LIST}/{portal.client_id}/secret")
    page = operator.submit("client-rotate-form", overlap=overlap)
    found = re.search(r'id="client-secret"[^>]*>\s*([\w-]{40,})', page.text)
    assert found, page.text[:2000]
    return operator, found[1]


@on_sqlite
class TestRotation:
    def test_both_secrets_work_until_the_overlap_is_over(self, desk: Desk) -> None:
        portal = RelyingParty.of(desk.here)
        _operator, new = rotate(desk, portal, "7")

        assert works(desk, portal, portal.registered.secret)
        assert works(desk, portal, new)
        with later(days=8):
            assert not works(desk, portal, portal.registered.secret)
            assert works(desk, portal, new)

    def test_without_overlap_the_former_one_ends_at_once(self, desk: Desk) -> None:
        portal = RelyingParty.of(desk.here)
        _operator, new = rotate(desk, portal, "0")

        assert not works(desk, portal, portal.registered.secret)
        assert works(desk, portal, new)

    def test_the_former_secret_can_be_ended_before_its_time(self, desk: Desk) -> None:
        portal = RelyingParty.of(desk.here)
        operator, _new = rotate(desk, portal, "30")
        operator.open(f"{LIST}/{portal.client_id}")

        operator.press("client-secret-end")

        assert not works(desk, portal, portal.registered.secret)
        assert not operator.shows("client-secret-end")

    def test_a_secret_that_was_lost_is_made_again_beside_the_one_in_use(self, desk: Desk) -> None:
        portal = RelyingParty.of(desk.here)
        operator, lost = rotate(desk, portal, "7")
        assert not operator.shows("client-newest-ended")

        operator.open(f"{LIST}/{portal.client_id}/secret")
        assert operator.shows("client-two-secrets")
        operator, again = rotate(desk, portal, "1")

        assert operator.shows("client-newest-ended")
        assert works(desk, portal, portal.registered.secret)
        assert not works(desk, portal, lost)
        assert works(desk, portal, again)

    def test_n5_the_form_sent_again_rotates_nothing_and_gets_the_same_page(
        self, desk: Desk
    ) -> None:
        portal = RelyingParty.of(desk.here)
        operator = desk.browser("operator")
        form = operator.open(f"{LIST}/{portal.client_id}/secret")
        operator.submit("client-rotate-form", overlap="1")
        before = fresh(portal.client_id).secret_hash

        operator.page = form
        again = operator.submit("client-rotate-form", overlap="1")

        assert fresh(portal.client_id).secret_hash == before
        assert "client-recipe" in again.text  # of a double click, browsers show the second answer
        assert works(desk, portal, portal.registered.secret)

    def test_no_other_page_shows_the_secret(self, desk: Desk) -> None:
        portal = RelyingParty.of(desk.here)
        operator, new = rotate(desk, portal, "1")

        for path in ("", "/settings", "/test", "/edit", "/secret"):
            assert new not in operator.open(f"{LIST}/{portal.client_id}{path}").text

    def test_a3_a_proof_that_is_old_opens_no_secret(self, desk: Desk) -> None:
        portal = RelyingParty.of(desk.here)
        operator = desk.browser("operator")
        operator.open(f"{LIST}/{portal.client_id}/secret")
        before = fresh(portal.client_id).secret_hash

        with later(minutes=30):
            page = operator.submit("client-rotate-form", overlap="0")

        assert page.request.path == "/account/confirm"
        assert fresh(portal.client_id).secret_hash == before


@on_sqlite
class TestOutOfUse:
    def test_its_tokens_end_and_do_not_come_back_with_it(self, desk: Desk) -> None:
        factories.family(desk.here, "Lina", username="claire")
        portal = RelyingParty.of(desk.here)
        guardian = Browser(desk.app.test_client())
        tokens = portal.tokens(guardian, "claire")
        operator = desk.browser("operator")
        here = f"{LIST}/{portal.client_id}"
        operator.open(here)

        operator.press("client-disable")
        off = portal.userinfo(guardian.client, tokens["access_token"]).status_code
        operator.press("client-enable")
        on = portal.userinfo(guardian.client, tokens["access_token"]).status_code

        assert (off, on) == (401, 401)
        assert guardian.client.get(portal.authorize_path()).status_code in {302, 303}
        assert fresh(portal.client_id).disabled_at is None


@on_sqlite
def test_a_service_that_is_asked_by_the_wrong_person_finds_nothing(desk: Desk) -> None:
    from idp.desk.access import rights as staff

    portal = RelyingParty.of(desk.here)
    manager = staff.staff_of(desk.staff("manager").id)
    assert manager is not None

    for act in (applications.end_former_secret, applications.disable, applications.enable):
        with pytest.raises(NotFound):
            act(manager, portal.client_id)
    with pytest.raises(NotFound):
        applications.register(manager, {}, school_ids=[desk.here.id])
    with pytest.raises(NotFound):
        applications.get_application(Staff(""), portal.client_id)


def at_once(app: Flask, act: Callable[[], object]) -> list[str]:
    """Do the same twice at once, each as a worker would; how each ended."""
    ended: list[str] = []
    together = threading.Barrier(2, timeout=60)

    def work() -> None:
        with app.app_context():
            together.wait()
            try:
                act()
                ended.append("made")
            except Conflict:
                ended.append("outdated")
            finally:
                db.session.remove()

    threads = [threading.Thread(target=work) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    return sorted(ended)


def test_r4_two_rotations_from_one_page_make_one_secret(app: Flask) -> None:
    client = RelyingParty.of(factories.school()).registered.client
    client_id, version, day = client.id, client.version, timedelta(days=1)

    ended = at_once(
        app,
        lambda: applications.rotate_secret(AT_TERMINAL, client_id, overlap=day, version=version),
    )

    assert ended == ["made", "outdated"]
    assert fresh(client_id).version == version + 1


def test_r4_one_form_that_is_sent_twice_at_once_registers_one_application(app: Flask) -> None:
    school_id = factories.school().id
    metadata = {"client_name": "Devoirs", "redirect_uris": ["https://app.example/"]}

    ended = at_once(
        app,
        lambda: applications.register(
            AT_TERMINAL, metadata, school_ids=[school_id], client_id="app_0123456789abcdefghijkl"
        ),
    )

    assert ended == ["made", "outdated"]
