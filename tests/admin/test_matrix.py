"""A1: deny by default. Every route of the desk × role × method, made from the routes."""

from collections.abc import Iterator

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import func, select

from idp.audit.models import AuditEvent
from idp.database import db
from idp.desk.access.rights import RIGHTS
from idp.web.admin.blueprint import RIGHT
from tests import factories
from tests.admin.places import Desk
from tests.relying_party import Browser, forms_of

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)

METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")
ROLES = ("nobody", "parent", "helper", "manager", "operator")


def routes(app: Flask) -> Iterator[tuple[str, dict[str, str]]]:
    """Each address of the desk with ids that nobody has, and its endpoint for each method."""
    found: dict[str, dict[str, str]] = {}
    for rule in app.url_map.iter_rules():
        if rule.endpoint.startswith("admin."):
            values = dict.fromkeys(rule.arguments, "x")
            address = app.url_map.bind("localhost").build(rule.endpoint, values)
            methods = set(rule.methods or ()) - {"HEAD", "OPTIONS"}
            found.setdefault(address, {}).update(dict.fromkeys(methods, rule.endpoint))
    yield from found.items()


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
    events = db.session.scalar(select(func.count()).select_from(AuditEvent))
    wrong = []
    for address, endpoints in routes(desk.app):
        for method in METHODS:
            view = desk.app.view_functions.get(endpoints.get(method, ""))
            expected = expected_status(role, getattr(view, RIGHT, None))
            found = send(browser.client, method, address, token)
            if expected != found and not (expected == 0 and found not in {401, 403, 405, 500}):
                wrong.append(f"{method} {address}: {found} in place of {expected or 'an answer'}")
    assert not wrong
    db.session.rollback()
    if role in {"nobody", "parent"}:
        assert db.session.scalar(select(func.count()).select_from(AuditEvent)) == events


def expected_status(role: str, right: str | None) -> int:
    """The status that must come; 0: an answer of the view itself, whatever it is.

    ``right``: None where the address has no such method.
    """
    if right is None:
        return 405
    if role == "nobody":
        return 303
    if role == "parent":
        return 404
    return 0 if right in RIGHTS[role] else 403


def test_a1_every_view_of_the_desk_names_its_right(desk: Desk) -> None:
    views = desk.app.view_functions
    named = {each for _, endpoints in routes(desk.app) for each in endpoints.values()}
    nameless = [each for each in named if not hasattr(views[each], RIGHT)]
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
    from idp.people import accounts, staff

    claire = accounts.find_by_username("claire")
    assert claire is not None
    staff.grant(claire.id, "helper", desk.here.id)
    assert browser.client.get("/admin/people").status_code == 403
