"""All that is kept about a guardian, for themselves: whole, and of nobody else."""

import json
from typing import Any

import pytest
from flask import Flask

from idp.audit.vocabulary import VOCABULARY
from idp.credentials import devices, email_changes
from idp.database import db, transaction
from idp.federation import links
from idp.federation.identity import ForeignIdentity
from idp.lifecycle import email_change, endings
from idp.mail import outbox
from idp.people import guardianships
from idp.people.models import Account, School
from idp.privacy import activity, erasure, export
from idp.roster.models import RosterIdentity
from idp.sessions import service as sessions
from tests import factories
from tests.factories import PASSWORD
from tests.relying_party import Browser, RelyingParty

pytestmark = pytest.mark.long_on("postgresql")


@pytest.fixture
def claire(app: Flask) -> Account:
    school = factories.school()
    account, _ = factories.family(school, "Lina", username="claire", email="claire@x.example")
    portal = RelyingParty.of(school, first_party=False, client_name="Cantine")
    browser = Browser(app.test_client())
    browser.open(portal.authorize_path(scope="openid child"))
    browser.submit("login-form", username="claire", password=PASSWORD, stay="yes")
    browser.press("consent-allow")
    devices.remember_device(account.id, None)
    email_changes.begin_change(account.id, account.email, "claire@new.example", proved=True)
    outbox.enqueue("password_changed", account_id=account.id)
    erasure.request_erasure(account.id)
    with transaction() as writes:
        links.make(account.id, ForeignIdentity("google", "https://google.example", "1"))
        for number in ("g-17", "~a hash"):
            writes.add(named_in_a_list(school, account, number))
    db.session.rollback()
    return account


def named_in_a_list(school: School, account: Account, number: str) -> RosterIdentity:
    return RosterIdentity(
        school_id=school.id,
        kind="guardian",
        sourced_id=number,
        account_id=account.id,
        run_id="j_1",
    )


def text_of(account: Account) -> str:
    return json.dumps(export.document(account), ensure_ascii=False)


def test_every_table_about_accounts_has_a_section_or_a_reason(app: Flask) -> None:
    about = {
        table.name
        for table in db.metadata.sorted_tables
        if "account_id" in table.c or any("accounts.id" in str(k) for k in table.foreign_keys)
    }
    covered = {table for section in export.SECTIONS.values() for table in section.tables}
    assert about - covered - export.LEFT_OUT.keys() == set(), "add a section: see idp/lifecycle"
    assert covered & export.LEFT_OUT.keys() == set()
    assert covered | export.LEFT_OUT.keys() <= set(db.metadata.tables)


def test_it_holds_what_there_is(claire: Account) -> None:
    document = export.document(claire)
    empty = [name for name, content in document.items() if not content]
    assert empty == ["told_applications", "connection_tokens", "link_requests", "factor_resets"]
    assert document["applications"][0]["application"] == "Cantine"
    assert document["email_changes"][0]["new_email"] == "claire@new.example"
    assert document["linked_accounts"][0]["provider"] == "google"
    assert document["school_lists"] == [
        {"school": "Collège des Tilleuls", "number": "g-17"},
        {"school": "Collège des Tilleuls", "number": None},  # a keyed hash is nobody's number
    ]
    assert document["about"]["version"] == export.VERSION


def test_c3_it_says_nothing_of_another_guardian(claire: Account) -> None:
    ((lina, _link),) = guardianships.live_children(claire.id)
    paul = factories.account("paul", given_name="Paul", family_name="Janssens", email="p@x.example")
    factories.guardianship(paul, lina)
    sessions.begin(paul.id, amr=("pwd",), acr="1", device="Opera, Mac")
    text = text_of(claire)
    for each in ("Paul", "Janssens", "p@x.example", "Opera", paul.id):
        assert each not in text


def test_c2_it_says_nothing_of_a_child_after_the_end(claire: Account) -> None:
    document = export.document(claire)
    child_id = document["children"][0]["id"]
    endings.end_guardianship(claire.id, child_id, "court")
    text = text_of(claire)
    assert "Lina" not in text
    assert child_id not in text


def test_no_secret_and_no_hash_is_in_it(claire: Account) -> None:
    text = text_of(claire)
    for table in db.metadata.sorted_tables:
        for column in table.c:
            if "hash" in column.name:
                for (value,) in db.session.execute(db.select(column)):
                    assert not value or value not in text, column


def test_an_address_that_was_not_mine_is_left_out(claire: Account) -> None:
    change = email_changes.waiting(claire.id)
    assert change is not None
    email_change.undo(email_changes.mint_link(change, "undo", "m"))
    assert "claire@new.example" not in text_of(claire)


def test_a_network_address_of_a_refused_attempt_is_left_out(app: Flask, claire: Account) -> None:
    stranger = Browser(app.test_client())
    stranger.client.environ_base["REMOTE_ADDR"] = "203.0.113.9"
    stranger.open("/")
    stranger.sign_in("claire", "certainly wrong")
    events = export.document(claire)["history"]
    refused = next(each for each in events if each["event"] == "sign_in_refused")
    assert "network_address" not in refused
    assert "203.0.113.9" not in text_of(claire)
    assert any(each.get("network_address") == "127.0.0.1" for each in events)


def test_a_section_is_added_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(export, "SECTIONS", dict(export.SECTIONS))

    def content(_account: Account) -> list[dict[str, Any]]:
        return [{"provider": "somebody"}]

    export.section("connected_accounts", tables=("x",))(content)
    export.section("connected_accounts", tables=("x",))(content)
    with pytest.raises(ValueError, match="already"):
        export.section("connected_accounts", tables=())(lambda _account: [])


def test_every_kind_of_the_history_has_words() -> None:
    assert {name for name, event in VOCABULARY.items() if event.own} == activity.KINDS
