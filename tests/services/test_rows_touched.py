"""What one person or one school asks for costs the same however many there are beside them.

A grown platform, PostgreSQL's own account of every statement (``auto_explain``), each page and
walk, each act of staff and each thing that applications call: no step of any statement may look at
a good part of a table that grows.
"""

import json
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any, Final
from urllib.parse import quote

import pytest
from flask import Flask
from sqlalchemy import event, text

from bench import population
from idp import Settings, create_app
from idp.credentials.models import Password
from idp.database import db, transaction
from idp.desk.access import rights as desk_staff
from idp.desk.overview import expiring, traffic
from idp.people import platform_counts
from idp.people.guardianships import LiveGuardianship
from idp.people.models import School
from idp.web.admin.blueprint import key_of
from tests import factories
from tests.admin.places import Desk
from tests.apart import ApartClient
from tests.conftest import settings_for_tests
from tests.journey.walk import path_of
from tests.relying_party import Browser, RelyingParty
from tests.services.test_no_scans import DOINGS

pytestmark = [
    pytest.mark.parametrize("database_url", ["postgresql"], indirect=True),
    pytest.mark.long,
]

ACCOUNTS: Final = 4_000
SHARE: Final = 4
"""A step may look at one row in so many; each of the eight schools has one in eight."""
SMALL: Final = 1_000
"""Rows of a table that may be looked at whole."""

EXPLAINING: Final = {
    "session_preload_libraries": "auto_explain",
    "auto_explain.log_min_duration": "0",
    "auto_explain.log_analyze": "on",
    "auto_explain.log_timing": "off",
    "auto_explain.log_format": "json",
    "auto_explain.log_level": "notice",
    # What it would do with a thousand times as many rows, where an index allows it
    "enable_seqscan": "off",
    "enable_hashjoin": "off",
    "enable_mergejoin": "off",
}
OF_PARENTS: Final = ("", *(f"account/{page}" for page in (
    "profile", "applications", "sessions", "history", "connections", "data", "email", "password",
)))  # fmt: skip
OF_STAFF: Final = (
    "on_mails_and_letters",  # before the others have queued mails
    *("on_an_account", "on_a_pupil", "on_a_school", "on_staff"),
)
OF_PROGRAMS: Final = ("of_tokens", "of_requests", "of_registrations")
FILES: Final = {"admin.parents_guide", "admin.import_rejected", "admin.import_rejected_book"}
"""What is made of files and letters, which takes long and asks the same."""


class Watch:
    """Each statement of the block, and what it looked at too much of."""

    def __init__(self, sizes: dict[str, int]) -> None:
        self._sizes = sizes
        self.statements = 0
        self.found: list[str] = []
        self.rows: Counter[str] = Counter()
        """Of each table, with its parts."""

    def notice(self, diagnostic: Any) -> None:
        _before, is_plan, plan = (diagnostic.message_primary or "").partition("plan:")
        if is_plan:
            document = json.loads(plan)
            self.statements += 1
            self.found += self._too_much(document["Plan"], document["Query Text"])

    def _too_much(self, node: dict[str, Any], statement: str) -> Iterator[str]:
        table = node.get("Relation Name", "")
        # Of each loop, in whole rows: PostgreSQL 18 tells hundredths of those that stay, of those
        # that don't whole ones as ever, so that a row could count as both
        rows = node.get("Actual Loops", 1) * (
            round(node.get("Actual Rows", 0)) + node.get("Rows Removed by Filter", 0)
        )
        self.rows[table.removesuffix("_first")] += round(rows)
        if self._sizes.get(table, 0) > SMALL and rows > self._sizes[table] / SHARE:
            yield f"{rows:.0f} of {self._sizes[table]} rows of {table}: {statement[:300]}"
        for part in node.get("Plans", ()):
            yield from self._too_much(part, statement)


@pytest.fixture
def grown(database_url: str, settings: Settings, keys_folder: Any) -> Iterator[Flask]:
    """A platform of eight schools and a month of visits, each of whose statements is explained."""
    filling = create_app(settings)
    with filling.app_context():
        known = factories.account("known")
        hashed = db.session.get_one(Password, known.id).hash
        portal = RelyingParty.of(factories.school())
        filled = population.Grown(ACCOUNTS)
        assert list(population.fill(database_url, filled, portal.client_id, hashed))
        db.engine.dispose()
    options = " ".join(f"-c {name}={value}" for name, value in EXPLAINING.items())
    app = create_app(settings_for_tests(f"{database_url}?options={quote(options)}", keys_folder))
    app.testing = True
    app.test_client_class = ApartClient
    app.config["portal"] = portal
    with app.app_context():
        yield app
        db.session.remove()
        db.engine.dispose()


@contextmanager
def watched() -> Iterator[Watch]:
    """Every connection that is used meanwhile tells what its statements did."""
    sizes = {
        name: int(rows)
        for name, rows in db.session.execute(text("SELECT relname, reltuples FROM pg_class"))
    }
    watch = Watch(sizes)

    def listen(connection: Any, *_: Any) -> None:
        connection.add_notice_handler(watch.notice)

    db.session.remove()
    db.engine.dispose()  # those that are open would tell nobody
    event.listen(db.engine, "connect", listen)
    try:
        yield watch
    finally:
        event.remove(db.engine, "connect", listen)
        db.session.remove()
        db.engine.dispose()


def addresses(app: Flask, school_id: str) -> Iterator[str]:
    """Each page of the desk that is read, for somebody of this school."""
    pupil = db.session.execute(
        db.select(
            LiveGuardianship.child_id, LiveGuardianship.account_id, LiveGuardianship.class_name
        )
        .where(LiveGuardianship.school_id == school_id)
        .limit(1)
    ).one()
    known = {
        "account_id": pupil.account_id, "child_id": pupil.child_id, "school_id": school_id,
        "class_key": key_of(pupil.class_name), "client_id": app.config["portal"].client_id,
        "kind": "invitation", "locale": "fr",
    }  # fmt: skip
    for rule in app.url_map.iter_rules():
        if not rule.endpoint.startswith("admin.") or "GET" not in (rule.methods or ()):
            continue
        if rule.endpoint not in FILES and rule.arguments <= known.keys():
            values = {name: known[name] for name in rule.arguments}
            yield app.url_map.bind("localhost").build(rule.endpoint, values)
    for query in ("lina+dubois", "dubois", "dubios", "p77@a.example", "3b", "du"):
        yield f"/admin/people?q={query}"
    for page in ("", "mails", "journal", "people"):
        yield f"/admin/{page}?school={school_id}"
    yield "/admin/mails?fate=refused"
    yield "/admin/journal?kind=role_granted"


def test_no_page_of_the_desk_looks_at_everybody(
    grown: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(platform_counts, "COUNTED_BY_PAGES", ACCOUNTS // 10)
    desk = Desk(grown, db.session.get_one(School, "s_1"), db.session.get_one(School, "s_2"))
    pages = list(addresses(grown, "s_1"))
    found, statements, served = [], 0, 0
    for role in ("manager", "operator"):
        browser = desk.browser(role)
        for page in pages:
            with watched() as watch:
                status = browser.client.get(page).status_code
            assert status in {200, 302, 303, 403, 404}, (page, status)
            statements += watch.statements
            served += status == 200
            found += [f"{role}, {page}: {each}" for each in watch.found]
    assert (served > 60, statements > 4 * served) == (True, True), (served, statements)
    assert not found, "\n".join(found)


def test_the_figures_of_a_school_cost_what_the_school_has(grown: Flask) -> None:
    desk = Desk(grown, db.session.get_one(School, "s_4"), db.session.get_one(School, "s_2"))
    manager = desk_staff.staff_of(desk.staff("manager").id)
    its_own = """FROM {} t WHERE t.account_id IN
      (SELECT account_id FROM live_guardianships WHERE school_id = 's_4')"""
    tokens = db.session.scalar(text("SELECT count(*) " + its_own.format("one_time_tokens")))
    week = " AND event = 'sign_in' AND at > now() - interval '7 days'"
    visits = db.session.scalar(text("SELECT count(*) " + its_own.format("audit_events") + week))
    assert (tokens > 50, visits > 50) == (True, True), (tokens, visits)

    with watched() as watch:
        assert expiring.tokens_expiring(manager, "s_4") > 0
    assert 0 < watch.rows["one_time_tokens"] <= tokens
    with watched() as watch:
        assert sum(traffic.sign_ins(manager, "s_4").week) > 0
    assert 0 < watch.rows["audit_events"] <= visits


def test_no_act_of_staff_and_nothing_that_programs_call_looks_at_everybody(grown: Flask) -> None:
    found = []
    for doing in (*OF_STAFF, *OF_PROGRAMS):
        _forget_the_user_names()
        with watched() as watch:
            DOINGS[doing](grown)
        assert watch.statements > 30, doing
        found += [f"{doing}: {each}" for each in watch.found]
    assert not found, "\n".join(found)


def _forget_the_user_names() -> None:
    """Each begins as it does where nobody is, with names that somebody here may have."""
    with transaction() as writes:
        writes.execute(text("UPDATE accounts SET username = id, username_key = id"))


def test_no_step_of_a_parent_looks_at_everybody(grown: Flask) -> None:
    request = grown.config["portal"].authorize_path(scope="openid child")
    statements = 0
    browser, other = (Browser(grown.test_client()) for _ in range(2))
    for name, step in (
        ("come", lambda: browser.open(request)),
        ("sign in", lambda: browser.sign_in("parent7")),
        ("come again", lambda: browser.open(request)),
        *((path, partial(browser.open, f"/{path}")) for path in OF_PARENTS),
        ("come as another", lambda: other.open(request)),
        ("forget", lambda: other.open(f"{path_of(other).removesuffix('/login')}/forgotten")),
        ("ask for a mail", lambda: other.submit("forgotten-form", email="p9@a.example")),
    ):
        with watched() as watch:
            step()
        statements += watch.statements
        assert not watch.found, f"{name}: " + "\n".join(watch.found)
    assert statements > 50
    assert db.session.scalar(text("SHOW jit")) == "off", "it compiles longer than it runs"
    with watched() as watch:
        db.session.execute(text("SELECT id FROM accounts WHERE given_name = 'Lina'")).all()
        db.session.execute(text("SELECT id FROM accounts WHERE id = 'a_7'")).all()
    assert watch.statements == 2
    assert len(watch.found) == 1, "whatever looks at everybody is found"
