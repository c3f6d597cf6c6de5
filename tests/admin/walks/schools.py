"""What a school shows of itself, and its words in mails."""

from collections.abc import Iterator
from io import BytesIO

from werkzeug.test import TestResponse

from idp.desk import schools
from idp.desk.access.rights import AT_TERMINAL
from tests.admin.pictures import bomb
from tests.admin.places import Desk
from tests.relying_party import Browser, forms_of

NOT_PICTURES = (b"", b"<svg>", b"x" * 100, bomb(30_000, 30_000), b"\x89PNG" * 2_000_000)


def walk(desk: Desk) -> Iterator[TestResponse]:
    manager = desk.browser("manager")
    yield manager.open("/admin/schools")
    for file in NOT_PICTURES[:4]:
        yield send_logo(manager, file)
    yield manager.submit("identity-form", "act=try", name="X", colour="#ffff99", picked="#1d4f91")
    yield manager.submit("identity-form", name="", colour="red", picked="")
    yield manager.submit("contact-form", contact_name="a", contact_email="x", contact_phone="\x01")
    yield manager.submit("languages-form", locale=desk.language, languages=desk.language)
    yield from meanwhile(desk, manager)
    yield from words(desk, manager)
    yield from of_operator(desk)


def meanwhile(desk: Desk, manager: Browser) -> Iterator[TestResponse]:
    """Somebody else changes the school while its page is open."""
    manager.open(f"/admin/schools/{desk.here.id}")
    schools.change(AT_TERMINAL, desk.here.id, {"contact_phone": "02"})
    yield manager.submit("contact-form", contact_name="M", contact_email="", contact_phone="03")


def words(desk: Desk, manager: Browser) -> Iterator[TestResponse]:
    own = f"/admin/schools/{desk.here.id}/mails/invitation/{desk.language}"
    yield manager.open(f"/admin/schools/{desk.here.id}/mails")
    yield manager.open(own)
    yield manager.submit("text-form", opening="x" * 601, closing="\u202e")
    yield manager.submit("text-form", "act=try", opening="Tralala", closing="Lala")
    yield manager.submit("text-form", opening="Tralala", closing="Lala")
    yield manager.submit("test")
    yield manager.open(f"{own}/preview")


def of_operator(desk: Desk) -> Iterator[TestResponse]:
    operator = desk.browser("operator")
    yield operator.open("/admin/schools")
    yield operator.open("/admin/schools/new")
    yield operator.submit("school-form", name="", locale=desk.language)
    yield operator.submit("school-form", name="Collège Neuf", locale=desk.language)


def send_logo(browser: Browser, file: bytes, name: str = "logo.png") -> TestResponse:
    """Choose this file on the school's page that is open, and send it."""
    assert browser.page is not None
    form = next(each for each in forms_of(browser.page.text) if each.id == "logo-form")
    data = {**form.hidden, "logo": (BytesIO(file), name)}
    browser.page = browser._follow(browser.client.post(form.action, data=data))
    return browser.page
