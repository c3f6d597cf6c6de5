"""Tokens by which applications register themselves, at the desk; who registered an application."""

import re

import pytest
from sqlalchemy import select
from werkzeug.test import TestResponse

from idp.audit.models import AuditEvent
from idp.clients import registration_tokens
from idp.clients.models import RegistrationToken
from idp.database import db
from tests.admin.client_forms import LIST, controls
from tests.admin.client_forms import register as register_by_form
from tests.admin.places import Desk
from tests.admin.test_clients import only_client
from tests.conformance.test_dynamic_registration import register
from tests.outgoing.conftest import change
from tests.relying_party import Browser, RelyingParty
from tests.times import later
from tests.wording import words

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
TOKENS = f"{LIST}/tokens"


def make(desk: Desk, browser: Browser, **typed: str | list[str]) -> TestResponse:
    """Send the form, with no more than a label and a school but for what is typed."""
    form = controls(browser.open(f"{TOKENS}/new"), "token-form")
    least = {"label": "Devoirs SA", "schools": desk.here.id}
    for name, value in {**least, **typed}.items():
        form.setlist(name, [value] if isinstance(value, str) else value)
    return browser.client.post(f"{TOKENS}/new", data=form)


def token_on(page: TestResponse) -> str | None:
    found = re.search(r'id="registration-token"[^>]*>\s*([\w-]{43})\s*<', page.text)
    return found[1] if found else None


def row_of(browser: Browser) -> str:
    """The row of the only token, as words."""
    page = browser.open(TOKENS).text
    row = page.split("<tbody>")[1].split("</tbody>")[0]
    return words(row)


def test_a_token_is_shown_once_registers_and_its_uses_are_counted(desk: Desk) -> None:
    change(desk.app, dynamic_registration="token")
    operator = desk.browser("operator")

    made = make(desk, operator, uses="2", scope=["child"])
    token = token_on(made)
    answered = register(Browser(desk.app.test_client()).client, token)
    listed = row_of(operator)

    assert token is not None
    assert made.headers["Cache-Control"] == "no-store"
    assert answered.status_code == 201
    assert answered.json["scope"] == "openid child"
    assert token not in operator.open(TOKENS).text
    for text in ("Devoirs SA", desk.here.name, desk.staff("operator").full_name, "1 sur 2"):
        assert text in listed, text
    [event] = db.session.scalars(
        select(AuditEvent).where(AuditEvent.event == "registration_token_made")
    )
    assert event.actor == desk.staff("operator").id


def test_an_ended_token_registers_nothing_and_the_page_says_so(desk: Desk) -> None:
    change(desk.app, dynamic_registration="token")
    operator = desk.browser("operator")
    token = token_on(make(desk, operator))
    operator.open(TOKENS)
    [row] = registration_tokens.list_tokens()

    operator.press(f"end-{row.id}")

    assert register(Browser(desk.app.test_client()).client, token).status_code == 401
    assert "Terminé" in row_of(operator)


def test_a_form_that_is_sent_twice_makes_one_token(desk: Desk) -> None:
    operator = desk.browser("operator")
    form = controls(operator.open(f"{TOKENS}/new"), "token-form")
    form["label"], form["schools"] = "Devoirs SA", desk.here.id

    first = operator.client.post(f"{TOKENS}/new", data=form)
    form.poplist("once")  # as when the first answer is kept no more
    late = operator.client.post(f"{TOKENS}/new", data=form)

    assert token_on(first)
    assert late.status_code == 303
    assert len(registration_tokens.list_tokens()) == 1


def test_every_problem_stands_at_its_field(desk: Desk) -> None:
    page = make(desk, desk.browser("operator"), label=" ", schools=[], uses="1001", days="900")

    assert page.status_code == 400
    for name in ("label", "schools", "uses", "days"):
        assert f'id="{name}-problem"' in page.text, name
        assert f'href="#{name}"' in page.text, name
    assert db.session.scalars(select(RegistrationToken)).all() == []


def test_a1_only_an_operator_sees_makes_and_ends_tokens(desk: Desk) -> None:
    for who in ("manager", "helper"):
        browser = desk.browser(who)
        for path in (TOKENS, f"{TOKENS}/new"):
            assert browser.open(path).status_code == 403


def test_a3_making_needs_a_fresh_proof(desk: Desk) -> None:
    operator = desk.browser("operator")
    with later(minutes=30):
        assert operator.open(f"{TOKENS}/new").request.path == "/account/confirm"


class TestWhoRegisteredIt:
    def shown(self, desk: Desk) -> str:
        return desk.browser("operator").open(f"{LIST}/{only_client().id}").text

    def test_somebody_at_the_desk(self, desk: Desk) -> None:
        register_by_form(desk, desk.browser("operator"))
        assert f"par {desk.staff('operator').full_name}" in self.shown(desk)

    def test_itself_by_a_token(self, desk: Desk) -> None:
        change(desk.app, dynamic_registration="token")
        token = token_on(make(desk, desk.browser("operator")))
        register(Browser(desk.app.test_client()).client, token)
        assert "le jeton pour Devoirs SA" in self.shown(desk)

    def test_a_manager_reads_no_name_of_it(self, desk: Desk) -> None:
        portal = RelyingParty.of(desk.here, contacts=["dev@portal.example"])
        page = desk.browser("manager").open(f"{LIST}/{portal.client_id}").text
        assert "client-registered" not in page
        assert "dev@" not in page


def test_an_operator_reads_its_policy_terms_and_contacts(desk: Desk) -> None:
    here = "https://portal.example"
    portal = RelyingParty.of(
        desk.here,
        policy_uri=f"{here}/policy",
        tos_uri=f"{here}/terms",
        contacts=["dev@portal.example", "+32 2 555 01 01"],
    )

    page = desk.browser("operator").open(f"{LIST}/{portal.client_id}").text

    for address in (f"{here}/policy", f"{here}/terms", "mailto:dev@portal.example"):
        assert f'href="{address}"' in page
    assert "+32 2 555 01 01" in page
    [event] = db.session.scalars(select(AuditEvent).where(AuditEvent.event == "client_created"))
    assert event.detail["changes"]["contacts"] == [None, ["d…v@portal.example", "…"]]
