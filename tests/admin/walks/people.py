"""The search, the classes as a way in, and the page of a class."""

from collections.abc import Iterator

from werkzeug.test import TestResponse

from idp.lifecycle import endings
from idp.people import accounts, children
from idp.web.admin.blueprint import key_of
from tests import factories
from tests.admin.places import Desk


def walk(desk: Desk) -> Iterator[TestResponse]:
    browser = desk.browser("manager")
    yield browser.open("/admin/")
    if accounts.find_by_username("anne") is None:
        _fill(desk)
    yield browser.open("/admin/")
    for query in ("peeters", "petters", "xyzzy", "kid&page=2"):
        yield browser.open(f"/admin/people?q={query}")
    for name in ("5C", ""):
        yield browser.open(f"/admin/schools/{desk.here.id}/classes/{key_of(name)}")
    yield browser.open(f"/admin/schools/{desk.here.id}/classes/{key_of('5C')}")
    yield browser.submit("class-tokens-form")
    yield browser.open("/admin/people?school=nowhere")
    yield browser.open(f"/admin/people?school={desk.here.id}")
    if browser.shows("invite-school-1"):
        yield browser.submit("invite-school-1")
    operator = desk.browser("operator")
    yield operator.open("/admin/people")
    yield operator.open("/admin/people?q=peeters")


def _fill(desk: Desk) -> None:
    anne = factories.account(
        "anne", given_name="Anne", family_name="Peeters", status="invited", email="a@p.example"
    )
    for name, class_name in (("Mia", "5C"), ("Tom", "")):
        child = children.create_child(desk.here.id, name, "Peeters", class_name)
        factories.guardianship(anne, child)
    gone = children.create_child(desk.here.id, "Gone", "Peeters", "5C")
    endings.end_guardianship(anne.id, gone.id, "moved")
    for number in range(30):
        children.create_child(desk.here.id, "Kid", f"Claes{number}", "1A")
    for number in range(3):
        factories.school(f"Instituut {number}")
