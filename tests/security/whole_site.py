"""Every page and form that the application has, taken from its own map, in a world with life."""

import re
from dataclasses import dataclass
from functools import cache
from typing import Any

from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select
from werkzeug.routing import Rule

from idp.database import db
from idp.sessions import service as sessions
from idp.web.bodies import UPLOADS
from tests.factories import PASSWORD
from tests.relying_party import Browser, World, form_of, world

NEW = "Brouette-Citadelle-Orage-9"
PROGRAMS = ("oauth2.", "provider_callbacks.")
"""Blueprints whose callers are programs, with proofs of their own."""
ENDS = ("cancel", "logout", "sign-out")
"""Forms after which a walk is over."""
UNKNOWN_TOKEN = "0123-4567-89AB-CDEF-GHJK-MNPQ-RSTV"


@dataclass
class BusyWorld:
    """A guardian with two sessions, two children, a consent, and a request that waits."""

    world: World
    places: dict[str, str]
    """What stands for each part of a route that varies."""

    @property
    def browser(self) -> Browser:
        return self.world.browser


def busy_world(app: Flask, client: FlaskClient) -> BusyWorld:
    made = world(client, "Lina", "Noah")
    third = made.other_portal(first_party=False, client_name="Cantine", require_pkce=False)
    made.browser.open(third.authorize_path())
    made.browser.press("consent-allow")
    Browser(app.test_client()).sign_in_at_home("claire")
    waiting = made.ask(scope="openid child").request.path.split("/")[2]
    assert made.browser.shows("child-list")
    here = sessions.find(cookie(client, "idp_session"))
    live = sessions.live(made.guardian.id)
    other = next(each for each in live if here and each.id != here.session.id)
    places = {
        "interaction_id": waiting,
        "session_id": other.id,
        "client_id": third.client_id,
        "school_id": made.school.id,
        "account_id": made.guardian.id,
        "child_id": made.children[0].id,
        "class_key": "M0I",
        "run_id": "j_of_no_import",
        "role_id": "sr_of_nobody",
        "token_id": "rt_of_nobody",
        "outbox_id": "m_of_no_mail",
        "kind": "invitation",
        "locale": "fr",
        "filename": "idp.css",
        "issuer_path": "no-path-of-the-issuer",
        "resource_path": "oauth2/userinfo",
        "key": "google",
        "code": "of-no-deletion-request",
    }
    return BusyWorld(made, places)


def post_rules(app: Flask) -> list[Rule]:
    return [rule for rule in app.url_map.iter_rules() if "POST" in (rule.methods or ())]


def forms(app: Flask, site: BusyWorld) -> list[tuple[str, dict[str, str]]]:
    """Every form of the pages, filled in so that it would act; what ends the walk comes last."""
    fields = {
        "username": "claire",
        "password": PASSWORD,
        "current_password": PASSWORD,
        "new_password": NEW,
        "repeat_password": NEW,
        "email": "claire@dubois.example",
        "token": UNKNOWN_TOKEN,
        "child": "somebody",
        "decision": "allow",
        "provider": "google",
        "link": "l_of_nobody",
        "locale": "nl",
        "next": "/",
    }
    rules = [rule for rule in post_rules(app) if not rule.endpoint.startswith(PROGRAMS)]
    rules.sort(key=lambda rule: next((each for each in ENDS if each in rule.rule), ""))
    return [(filled(rule, site.places), fields) for rule in rules]


def pages(app: Flask, site: BusyWorld) -> list[str]:
    """Every address that answers GET."""
    rules = [rule for rule in app.url_map.iter_rules() if "GET" in (rule.methods or ())]
    return [filled(rule, site.places) for rule in rules]


def upload_paths(app: Flask, site: BusyWorld) -> set[str]:
    """The addresses whose forms may hold a file."""
    views = app.view_functions
    return {
        filled(rule, site.places)
        for rule in post_rules(app)
        if hasattr(views[rule.endpoint], UPLOADS)
    }


def filled(rule: Rule, values: dict[str, str]) -> str:
    return re.sub(r"<(?:\w+:)?(\w+)>", lambda found: values[found[1]], rule.rule)


def everything(*tables: str) -> dict[str, list[Any]]:
    """Every row of every table (or of these), except when a session was seen last."""
    db.session.rollback()
    read = db.session.connection().exec_driver_sql
    rows = {
        name: sorted(map(str, read(query).all()))
        for name, query in _queries().items()
        if not tables or name in tables
    }
    db.session.rollback()
    return rows


@cache
def _queries() -> dict[str, str]:
    """As the driver takes them: a test asks for a hundred times sixty tables."""
    return {
        name: str(select(*(column for column in table.c if column.key != "last_seen_at")))
        for name, table in db.metadata.tables.items()
    }


def cookie(client: FlaskClient, name: str) -> str:
    found = client.get_cookie(name)
    return found.value if found else ""


def csrf_of(browser: Browser) -> str:
    page = browser.open("/")
    return form_of(page.text, "language-form")[1]["csrf_token"]
