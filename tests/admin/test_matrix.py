"""A1: deny by default. Every route of the desk × role × method, made from the routes."""

from collections.abc import Iterator

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import func, select

from idp.audit.models import AuditEvent
from idp.database import db
from idp.desk.staff import RIGHTS
from idp.web.admin.blueprint import RIGHT
from tests import factories
from tests.admin.places import Desk
from tests.relying_party import Browser, forms_of

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)

METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")
ROLES = ("nobody", "parent", "helper", "manager", "operator")


def routes(app: Flask) -> Iterator[tuple[str, str, set[str]]]:
    """Each address of the desk with ids that nobody has, its endpoint, and its methods."""
    for rule in app.url_map.iter_rules():
        if rule.endpoint.startswith("admin."):
            values = dict.fromkeys(rule.arguments, "x")
            address = app.url_map.bind("localhost").build(rule.endpoint, values)
            yield rule.endpoint, address, set(rule.methods or ()) - {"HEAD", "OPTIONS"}


def browser_of(desk: Desk, role: str) -> Browser:
    if role == "nobody":
        return Browser(desk.app.test_client())
    if role == "parent":
        factories.family(desk.here, "Lina", username="claire")
        browser = Browser(desk.app.test_client())
        browser.sign_in_at_home("claire")
        return browser
    return desk.browser(role)


def form_token(browser: Browser) -> str:
    """The token that this browser's forms carry."""
    page = browser.open("/account/profile")
    forms = [form for form in forms_of(page.text) if "csrf_token" in form.hidden]
    return forms[0].hidden["csrf_token"]


def send(client: FlaskClient, method: str, address: str, token: str) -> int:
    data = None if method == "GET" else {"csrf_token": token}
    return client.open(address, method=method, data=data).status_code


@pytest.mark.parametrize("role", ROLES)
def test_a1_what_a_role_may_not_is_refused_on_every_route_by_every_method(
    desk: Desk, role: str
) -> None:
    browser = browser_of(desk, role)
    token = form_token(browser)
    trail = db.session.scalar(select(func.count()).select_from(AuditEvent))
    wrong = []
    for endpoint, address, methods in routes(desk.app):
        right = getattr(desk.app.view_functions[endpoint], RIGHT)
        for method in METHODS:
            expected = expected_status(role, right, method in methods)
            found = send(browser.client, method, address, token)
            if expected != found and not (expected == 0 and found not in {401, 403, 405, 500}):
                wrong.append(f"{method} {address}: {found} in place of {expected or 'an answer'}")
    assert not wrong
    db.session.rollback()
    if role in {"nobody", "parent"}:
        assert db.session.scalar(select(func.count()).select_from(AuditEvent)) == trail


def expected_status(role: str, right: str, has_method: bool) -> int:
    """The status that must come; 0: an answer of the view itself, whatever it is."""
    if not has_method:
        return 405
    if role == "nobody":
        return 303
    if role == "parent":
        return 404
    return 0 if right in RIGHTS[role] else 403


def test_a1_every_view_of_the_desk_names_its_right(desk: Desk) -> None:
    views = desk.app.view_functions
    nameless = [each for each, _, _ in routes(desk.app) if not hasattr(views[each], RIGHT)]
    assert not nameless


def test_a1_a_view_that_names_none_is_refused_to_everybody(desk: Desk) -> None:
    browser = desk.browser("operator")
    view = desk.app.view_functions["admin.people"]
    desk.app.view_functions["admin.people"] = lambda: "open to the world"
    try:
        assert browser.client.get("/admin/people").status_code == 403
    finally:
        desk.app.view_functions["admin.people"] = view


def test_a3_a_session_of_one_factor_does_not_open_the_desk(desk: Desk) -> None:
    factories.family(desk.here, "Lina", username="claire")
    browser = Browser(desk.app.test_client())
    browser.sign_in_at_home("claire")
    from idp.people import service as people
    from idp.people import staff

    claire = people.find_by_username("claire")
    assert claire is not None
    staff.grant(claire.id, "helper", desk.here.id)
    assert browser.client.get("/admin/people").status_code == 403
