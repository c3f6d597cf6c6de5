"""« Certify » at the desk: the command for an application, and the robot's report."""

import json
from typing import Any

import pytest
from flask import Flask
from flask_babel import force_locale

from idp.clients import certification
from idp.clients.certification import FAILED, PASSED, UNTOLD, Report, Result
from idp.clients.certification_checks import CHECKS
from idp.web.admin import certify_words
from tests.admin.client_forms import LIST
from tests.admin.places import Desk
from tests.relying_party import RelyingParty

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


def report(**verdicts: str) -> str:
    """A report of all checks, passed but for these."""
    results = [
        Result(check.code, verdicts.get(check.code, PASSED), f"<b>seen</b> {check.code}")
        for check in CHECKS
    ]
    made = Report("https://portal.example/", "2026-11-29T10:00:00+00:00", results)
    return json.dumps(certification.as_json(made))


def test_the_command_has_the_applications_own_addresses(desk: Desk) -> None:
    portal = RelyingParty.of(
        desk.here,
        redirect_uris=["https://portal.example/oidc/back"],
        initiate_login_uri="https://portal.example/oidc/start",
        backchannel_logout_uri="https://portal.example/told/out",
        security_events_uri="https://elsewhere.portal.example/told/events",
        child_fields=["sub", "class"],
    )

    page = desk.browser("operator").open(f"{LIST}/{portal.client_id}/certify").text

    command = "idp certify https://portal.example/ --metadata client.json --login /oidc/start"
    assert f"{command} --back-channel-logout /told/out</code>" in page
    assert "&#34;class&#34;" in page
    registration = page.partition("certify-registration")[2].partition("</pre>")[0]
    assert "child_fields" in registration
    # What is told to a copy must not reach the real application
    assert not any(address in registration for address in ("oidc/back", "told/"))


def test_what_has_no_address_on_the_web_has_no_command(desk: Desk) -> None:
    portal = RelyingParty.of(
        desk.here, redirect_uris=["com.example.app:/callback"], application_type="native"
    )
    browser = desk.browser("operator")
    browser.open(f"{LIST}/{portal.client_id}/certify")
    assert browser.shows("certify-no-command")
    assert not browser.shows("certify-command")


def test_a_report_is_shown_with_what_failed_first(desk: Desk) -> None:
    portal = RelyingParty.of(desk.here)
    browser = desk.browser("operator")
    browser.open(f"{LIST}/{portal.client_id}/certify")

    text = browser.submit("client-certify-form", report=report(ended=FAILED, switch=UNTOLD)).text

    shown = text.partition("certify-results")[2].partition("</table>")[0]
    places = [
        shown.index(f"&lt;b&gt;seen&lt;/b&gt; {code}") for code in ("ended", "switch", "pkce")
    ]
    assert places == sorted(places)
    assert "docs/integrate.md#6-when-the-guardianship-ends" in shown
    assert 'class="notice notice-bad"' in text
    assert "<b>seen" not in text


def test_a_report_without_failures_says_so(desk: Desk) -> None:
    portal = RelyingParty.of(desk.here)
    browser = desk.browser("operator")
    browser.open(f"{LIST}/{portal.client_id}/certify")
    text = browser.submit("client-certify-form", report=report()).text
    assert 'class="notice notice-good"' in text


def without(name: str) -> str:
    document: dict[str, Any] = json.loads(report())
    del document[name]
    return json.dumps(document)


def with_result(**changes: Any) -> str:
    document: dict[str, Any] = json.loads(report())
    document["results"][0] |= changes
    return json.dumps(document)


@pytest.mark.parametrize(
    "text",
    [
        *("", "nonsense", "[]", "{}", "1", '{"results": [1]}', '{"results": 1}', "[" * 9_000),
        *(without(name) for name in ("format", "application", "at", "results")),
        *(with_result(code=code) for code in ("nonsense", "pkce", 1, [])),
        *(with_result(verdict="certified"), with_result(seen=1)),
        report() + " " * certification.LONGEST_REPORT,
    ],
    ids=str,
)
def test_what_is_no_report_is_refused(desk: Desk, text: str) -> None:
    portal = RelyingParty.of(desk.here)
    browser = desk.browser("operator")
    browser.open(f"{LIST}/{portal.client_id}/certify")

    answer = browser.submit("client-certify-form", report=text)

    assert answer.status_code == 400
    assert browser.shows("report-problem")


@pytest.mark.parametrize("role", ["manager", "helper"])
def test_it_is_for_who_registers_applications(desk: Desk, role: str) -> None:
    portal = RelyingParty.of(desk.here)
    answer = desk.browser(role).open(f"{LIST}/{portal.client_id}/certify")
    assert answer.status_code == 403


def test_the_desk_calls_each_check_as_the_command_does(app: Flask) -> None:
    with app.test_request_context(), force_locale("en"):
        assert certify_words.titles() == {check.code: check.title for check in CHECKS}


def test_what_helps_reads_as_the_guide_does(desk: Desk) -> None:
    portal = RelyingParty.of(desk.here)
    browser = desk.browser("operator")
    browser.open(f"{LIST}/{portal.client_id}/certify")

    text = browser.submit("client-certify-form", report=report(email_key=FAILED)).text

    shown = text.partition("certify-results")[2].partition("</table>")[0]
    assert "key parents by <code>sub</code>." in " ".join(shown.split())
    assert "`" not in shown
