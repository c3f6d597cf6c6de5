"""Lists and runs for tests of the desk's imports: a browser may begin several."""

import re
from io import BytesIO
from pathlib import Path
from typing import Any

from flask_babel import refresh

from idp.people.models import School
from idp.roster import work
from tests.admin.places import Desk
from tests.admin.test_matrix import form_token
from tests.relying_party import Browser
from tests.roster.files import OneRoster
from tests.roster.test_oneroster import whole

LIST = (
    "Nom;Prénom;Classe;Responsable;E-mail responsable;Date de naissance\r\n"
    "Dubois;Lina;3B;Claire DUBOIS;claire@dubois.example;31/08/2014\r\n"
    "Maes;Tom;2A;Marc MAES;=1+1;01/02/2015\r\n"
)


def upload(
    browser: Browser, schools: list[School] | School, content: bytes, name: str, **fields: str
) -> Any:
    """Send a file as the page's form does; returns the answer."""
    ids = [each.id for each in (schools if isinstance(schools, list) else [schools])]
    data: dict[str, Any] = {
        "csrf_token": form_token(browser),
        "delta": "",
        "school": ids,
        "file": (BytesIO(content), name),
        **fields,
    }
    return browser.client.post("/admin/imports/new/file", data=data)


def chosen(page: str) -> dict[str, str]:
    """What the selects of a page hold, as a browser would send it."""
    found = {}
    for name, options in re.findall(
        r'<select[^>]*name="([^"]+)"[^>]*>(.*?)</select>', page, re.DOTALL
    ):
        picked = re.search(r'value="([^"]*)"\s+selected', options)
        found[name] = picked[1] if picked else ""
    return found


def zipped(made: OneRoster, folder: Path) -> bytes:
    return made.zip(folder / "roster.zip").read_bytes()


def work_off() -> int:
    """Let a worker do what waits; returns how many jobs."""
    from idp import correlation
    from idp.database import db

    db.session.rollback()
    before = correlation.current()
    count = 0
    while work.work_once():
        count += 1
    correlation.begin(actor=before.actor, address=before.address)
    refresh()
    db.session.rollback()
    return count


def begun(
    desk: Desk,
    who: str | Browser,
    content: bytes,
    name: str = "roster.zip",
    school: School | None = None,
) -> Browser:
    """A browser on the page of an import whose file a worker has read."""
    browser = desk.browser(who) if isinstance(who, str) else who
    school = school or (desk.elsewhere if who == "stranger" else desk.here)
    answer = upload(browser, school, content, name)
    assert answer.status_code == 303, answer.text
    work_off()
    browser.open(answer.headers["Location"])
    return browser


def applied(desk: Desk, who: str | Browser, content: bytes, **how: str) -> Browser:
    """The same, carried out."""
    browser = begun(desk, who, content)
    browser.submit("apply-form", **how)
    work_off()
    assert browser.page is not None
    browser.open(browser.page.request.path)
    return browser


__all__ = ["LIST", "applied", "begun", "chosen", "upload", "whole", "work_off", "zipped"]
