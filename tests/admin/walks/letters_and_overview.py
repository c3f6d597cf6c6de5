"""The overview, and letters: lists, a class, a person, and what is refused."""

from collections.abc import Iterator

from werkzeug.test import TestResponse

from idp.database import transaction
from idp.desk.access.rights import AT_TERMINAL
from idp.desk.printed_letters import service as printed_letters
from idp.people import guardianships
from tests import factories
from tests.admin.places import Desk


def walk(desk: Desk) -> Iterator[TestResponse]:
    invited, _ = factories.family(desk.here, "Noé", status="invited")
    active, _ = factories.family(desk.here, "Mia", email="claire@example.org")
    gone, _ = factories.family(desk.here, "Ida", status="disabled")
    factories.family(desk.elsewhere, "Tom", status="invited", email="tom@example.org")
    factories.client_app(desk.here)
    yield desk.browser("operator", may_print=True).open("/admin/")
    clerk = desk.browser("manager", may_print=True)
    yield clerk.open("/admin/")
    yield clerk.open("/admin/people")
    yield clerk.open("/admin/letters")
    yield clerk.open(f"/admin/letters/{desk.here.id}?class=3B")
    yield clerk.open(f"/admin/letters/{desk.here.id}?class=9Z")
    for account in (invited, active, gone):
        yield clerk.open(f"/admin/people/{account.id}/letter")
    clerk.open(f"/admin/letters/{desk.here.id}?class=3B")
    printed_letters.print_class(AT_TERMINAL, desk.here.id, None)
    yield clerk.submit("letters-form", again="1")
    yield clerk.submit("letters-form")
    child = guardianships.live_children(invited.id)[0][0]
    with transaction():
        child.class_name = ""
    yield clerk.open("/admin/letters")
