"""Imports: chosen, mapped, looked at, held back, carried out, undone, refused."""

from collections.abc import Iterator
from pathlib import Path
from tempfile import mkdtemp

from werkzeug.test import TestResponse

from idp.roster import concerned
from tests.admin.places import Desk
from tests.admin.rosters import LIST, applied, begun, chosen, upload, whole, work_off, zipped
from tests.relying_party import Browser


def walk(desk: Desk) -> Iterator[TestResponse]:
    folder = Path(mkdtemp())
    manager = desk.browser("manager")
    yield manager.open("/admin/imports")
    yield manager.open("/admin/imports/new")
    yield upload(manager, desk.here, b"", "liste.csv")
    yield upload(manager, desk.here, b"x", "liste.exe")
    yield upload(manager, [], b"x", "liste.csv")
    damaged = upload(manager, desk.here, b"PK\3\4nonsense", "roster.xlsx")
    yield manager.open(damaged.headers["Location"])
    work_off()
    yield manager.open(damaged.headers["Location"])
    yield from _list(desk, manager)
    yield from _carried_out(desk, manager, folder)
    operator = desk.browser("operator")
    yield operator.open("/admin/imports")
    yield operator.open("/admin/imports/new")


def _list(desk: Desk, manager: Browser) -> Iterator[TestResponse]:
    browser = begun(desk, manager, LIST.encode("cp1252"), "liste.csv")
    assert browser.page is not None
    yield browser.page
    guessed = chosen(browser.page.text)
    yield browser.submit("columns-form", **{**guessed, "column-0": "-"})
    yield browser.submit("columns-form", **{**guessed, "column-0": guessed["column-1"]})
    browser.submit("columns-form", **guessed, keep="yes")
    yield browser.page
    work_off()
    run = browser.page.request.path
    yield browser.open(f"{run}/rejected")
    yield browser.open(run)
    browser.press("discard-submit")
    work_off()
    yield browser.open(browser.page.request.path)


def _carried_out(desk: Desk, manager: Browser, folder: Path) -> Iterator[TestResponse]:
    browser = begun(desk, manager, zipped(whole(), folder))
    assert browser.page is not None
    yield browser.page
    run = browser.page.request.path
    kinds = concerned.kinds(run.rpartition("/")[2], desk.here.id)
    for kind in kinds:
        yield browser.open(f"{run}/people?school={desk.here.id}&kind={kind}")
    yield browser.open(f"{run}/people")
    browser.open(run)
    yield browser.submit("apply-form", invite="yes", per_hour="many")
    browser.submit("apply-form", invite="yes", per_hour="10")
    work_off()
    yield browser.open(browser.page.request.path)
    small = whole()
    small.users = [each for each in small.users if each["sourcedId"] != "p1"]
    held = begun(desk, manager, zipped(small, folder))
    assert held.page is not None
    yield held.page
    yield held.submit("apply-form", per_hour="10")
    held.open(held.page.request.path.removesuffix("/apply"))
    held.press("check-submit")
    yield held.page
    first = applied(desk, manager, zipped(whole(), folder))
    first.submit("undo-form", confirmed="yes")
    work_off()
    assert first.page is not None
    yield first.open(first.page.request.path)
    yield first.open("/admin/imports")
