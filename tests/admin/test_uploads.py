"""R7: files of more than 64 KiB, only for signed-in staff, only where a view takes them."""

from io import BytesIO
from threading import Event
from typing import Any

import pytest
from flask import Flask, request
from flask.testing import FlaskClient

from idp.desk.access.rights import Right, Staff
from idp.web import bodies
from idp.web.admin.blueprint import staff_only
from idp.web.bodies import accepts_uploads
from tests.admin.places import Desk
from tests.admin.test_matrix import form_token
from tests.relying_party import Browser
from tests.times import later

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)

LONGEST = 300_000


@pytest.fixture
def app(app: Flask) -> Flask:
    """The provider with three more views: one takes files, one is proved, one has no guard."""

    @accepts_uploads(LONGEST)
    def taken(_staff: Staff) -> str:
        return str(len(request.files["file"].read()))

    @accepts_uploads(LONGEST)
    def unguarded() -> str:
        return str(len(request.files["file"].read()))

    views: dict[str, Any] = {
        "/upload": staff_only(Right.EDIT_SCHOOL)(taken),
        "/upload/proved": staff_only(Right.EDIT_SCHOOL, proved=True)(taken),
        "/upload/unguarded": unguarded,
    }
    for path, view in views.items():
        app.add_url_rule(path, path, view, methods=["POST"])
    return app


def send(
    client: FlaskClient, size: int, token: str = "", path: str = "/upload", **fields: str
) -> Any:
    file = (BytesIO(b"x" * size), "file.bin")
    return client.post(path, data={"file": file, "csrf_token": token, **fields})


def test_r7_a_large_file_arrives_whole_where_a_view_takes_it(desk: Desk) -> None:
    browser = desk.browser("manager")

    answer = send(browser.client, 250_000, form_token(browser))

    assert (answer.status_code, answer.text) == (200, "250000")


def test_r7_a_file_over_the_views_own_limit_is_refused(desk: Desk) -> None:
    browser = desk.browser("manager")

    answer = send(browser.client, LONGEST + 1, form_token(browser))

    assert answer.status_code == 413
    assert 'id="oauth-error">too_large' in answer.text


def test_r7_no_other_view_takes_it(desk: Desk) -> None:
    browser = desk.browser("manager")
    token = form_token(browser)

    assert send(browser.client, 100_000, token, "/language").status_code == 413
    assert send(browser.client, 100_000, token, "/upload/unguarded").status_code == 413


def test_r7_a_large_file_of_any_bytes_arrives_whole(desk: Desk) -> None:
    browser = desk.browser("manager")
    lines = BytesIO(b"\r\n--x" * 50_000)  # each could begin a boundary

    data = {"file": (lines, "file.bin"), "csrf_token": form_token(browser)}
    answer = browser.client.post("/upload", data=data)

    assert (answer.status_code, answer.text) == (200, "250000")


def test_r7_words_beside_the_file_are_bounded(desk: Desk) -> None:
    browser = desk.browser("manager")

    answer = send(browser.client, 1000, form_token(browser), words="x" * 200_000)

    assert answer.status_code == 413


def test_a1_nothing_is_received_from_whoever_may_not_send_it(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    helper, nobody = desk.browser("helper"), Browser(desk.app.test_client())
    token = form_token(helper)
    monkeypatch.setattr(bodies, "_received", None)  # whoever gets there has failed

    assert send(helper.client, 100_000, token).status_code == 403
    assert send(nobody.client, 100_000).headers["Location"].endswith("/login")


def test_s3_a_large_form_needs_its_token_too(desk: Desk) -> None:
    manager = desk.browser("manager")

    assert send(manager.client, 100_000).status_code == 400


def test_a3_a_late_file_is_asked_for_again_after_the_proof(desk: Desk) -> None:
    browser = desk.browser("manager")
    token = form_token(browser)

    with later(minutes=15):
        answer = send(browser.client, 100_000, token, "/upload/proved")

    assert answer.headers["Location"].startswith("/account/confirm?next=")


def broken(browser: Browser, stream: BytesIO) -> Any:
    """Announce more than ``stream`` gives."""
    environ = {"CONTENT_LENGTH": "200000", "wsgi.input": stream}
    return browser.client.post("/upload", environ_overrides=environ)


class Dripping(BytesIO):
    """A body whose sender has stopped."""

    def __init__(self, going_on: Event) -> None:
        super().__init__()
        self.going_on = going_on

    def read(self, _size: int | None = -1, /) -> bytes:
        self.going_on.wait(20)
        return b""


def test_r7_slow_senders_are_given_up_and_leave_room_for_no_more_than_a_few(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    browser, going_on = desk.browser("manager"), Event()
    monkeypatch.setattr(bodies, "seconds_for", lambda _length: 0.05)

    def drip() -> Any:
        stream = Dripping(going_on)
        return broken(browser, stream)

    try:
        slow = [drip() for _ in range(bodies.UPLOADS_AT_ONCE)]
        one_more = drip()
    finally:
        going_on.set()

    assert {answer.status_code for answer in slow} == {408}
    assert 'id="oauth-error">too_slow' in slow[0].text
    assert (one_more.status_code, one_more.headers["Retry-After"]) == (503, "5")


def test_r7_a_sender_who_goes_away_is_told_so_and_frees_the_place(desk: Desk) -> None:
    browser = desk.browser("manager")
    token = form_token(browser)

    for _ in range(bodies.UPLOADS_AT_ONCE + 1):
        short = BytesIO(b"x" * 70_000)
        answer = broken(browser, short)
        assert answer.status_code == 400
        assert 'id="oauth-error">bad_request' in answer.text

    assert send(browser.client, 100_000, token).status_code == 200
