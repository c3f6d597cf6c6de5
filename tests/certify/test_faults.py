"""Each mistake of examples/faulty_applications is found, and no other; without one, none is."""

from collections.abc import Callable

import pytest
from flask import Flask

from examples.faulty_applications import FAULTS, Settings, check_of, create_app
from idp.certify.provider import CLIENT_ID, CLIENT_SECRET, TestProvider
from idp.clients.certification import FAILED, PASSED, UNTOLD
from idp.clients.certification_checks import CHECKS
from tests.certify.conftest import Tried

Serve = Callable[[Callable[[str], Flask]], str]
NAMED = (
    *("email_key", "state", "nonce", "issuer", "audience", "switch", "ended", "rotation"),
    *("child_key", "child_again", "child", "second_tab"),
    *("sibling", "logout_token", "security_event"),
)
"""What has to be named at the least."""
FOLLOWS = {
    "signature": ["signature", "rotation"],
    "cancelled": ["no_child", "refused_consent", "cancelled"],
    "dead_end": ["no_child", "refused_consent", "cancelled", "repeated"],
}
"""Where one mistake is seen by several checks, as it should be."""


TOLD = {"backchannel_logout_uri": "logout-token", "security_events_uri": "security-events"}


def found(fault: str) -> list[str]:
    """The checks that fail."""
    return FOLLOWS.get(fault, [check_of(fault)])


def faulty(test_provider: TestProvider, fault: str) -> Callable[[str], Flask]:
    return lambda home: create_app(
        Settings(
            issuer=test_provider.issuer,
            client_id=CLIENT_ID,
            client_secret=CLIENT_SECRET,
            app_url=home.rstrip("/"),
            app_secret="of-the-application",
            fault=fault,
        )
    )


@pytest.mark.long
def test_without_a_mistake_everything_is_passed(
    test_provider: TestProvider, tried: Tried, serve: Serve
) -> None:
    report = tried(serve(faulty(test_provider, "")), told=TOLD)

    assert [each for each in report.results if each.verdict != PASSED] == []
    assert [each.code for each in report.results] == [check.code for check in CHECKS]
    assert report.certified


@pytest.mark.long
@pytest.mark.parametrize("fault", FAULTS)
def test_a_mistake_is_named_and_no_other(
    fault: str, test_provider: TestProvider, tried: Tried, serve: Serve
) -> None:
    report = tried(serve(faulty(test_provider, fault)), told=TOLD)

    assert [each.code for each in report.of(FAILED)] == found(fault), report.results
    assert not report.clean


def test_every_mistake_that_has_to_be_named_is_planted() -> None:
    assert set(NAMED) <= set(FAULTS)
    assert set(map(check_of, FAULTS)) <= {check.code for check in CHECKS}


def test_who_is_told_of_the_end_need_not_ask(
    test_provider: TestProvider, tried: Tried, serve: Serve
) -> None:
    def told(home: str) -> Flask:
        app = faulty(test_provider, "ended")(home)
        application = app.extensions["application"]

        def hear() -> tuple[str, int]:
            application.visits.clear()
            return "", 202

        app.post("/events")(hear)
        return app

    report = tried(serve(told), "ended", told={"security_events_uri": "events"})

    assert [each.verdict for each in report.results] == [PASSED, PASSED], report.results


def test_where_no_sign_in_begins_it_says_what_to_set(
    test_provider: TestProvider, tried: Tried, serve: Serve
) -> None:
    report = tried(serve(faulty(test_provider, "")), "pkce", login="auth/start")

    first, _pkce = report.results
    assert not report.clean
    assert first.verdict == UNTOLD
    assert "auth/start" in first.seen
    assert "--login" in first.seen


def test_who_is_told_nothing_need_not_check_what_it_is_told(
    test_provider: TestProvider, tried: Tried, serve: Serve
) -> None:
    report = tried(serve(faulty(test_provider, "")), "logout_token", "security_event")

    untold = {each.code: each.seen for each in report.of(UNTOLD)}
    assert report.clean
    assert "--back-channel-logout" in untold["logout_token"]
    assert "--security-events" in untold["security_event"]


@pytest.mark.long
@pytest.mark.parametrize("path", ["nowhere", "callback"])
def test_an_address_that_takes_nothing_is_told(
    path: str, test_provider: TestProvider, tried: Tried, serve: Serve
) -> None:
    told = {"backchannel_logout_uri": path, "security_events_uri": path}

    report = tried(serve(faulty(test_provider, "")), "logout_token", "security_event", told=told)

    seen = {each.code: each.seen for each in report.of(UNTOLD)}
    assert {"logout_token", "security_event"} == set(seen)
    assert all(f"/{path} answered 40" in each for each in seen.values())
