"""A mail's link brings its secret behind « # », past every log; without scripts it is pasted."""

import re
from pathlib import Path

import pytest
from flask import Flask
from sqlalchemy import text

from idp import clock
from idp.credentials import email_changes
from idp.database import db, transaction
from idp.lifecycle import link_requests
from idp.lifecycle.mails import COMPOSERS
from idp.mail import delivery, outbox
from idp.people.models import Account
from idp.web.account.mailed_links import secret_in
from tests import factories
from tests.journey.walk import form_of
from tests.relying_party import Browser
from tests.second_factors import switch_on
from tests.web.places import Place

on_sqlite = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)

RANDOM = "Zb-" + "x" * 40
SECRETS = (RANDOM, f"r_123-45.{RANDOM}", f"passkey.p_12.{RANDOM}")
PAGES = (
    "/account/email/confirm",
    "/account/email/undo",
    "/account/factor/undo",
    "/account/guardianship",
)


@pytest.mark.parametrize("secret", SECRETS)
@pytest.mark.parametrize(
    "around",
    [
        "{}",
        " {} \r\n",
        "{}.",
        "« {} »",
        "https://id.example/account/email/undo#{}",
        "<https://id.example/account/email/undo#{}>,",
        "https://id.example/account/email/undo?token={}",
        "Ouvrez ce lien : https://id.example/account/email/undo#{}\n\nL'école",
        "https://id.example/account/\nemail/undo#\u200b{}",
    ],
)
def test_a_secret_is_found_in_what_was_pasted(secret: str, around: str) -> None:
    assert secret_in(around.format(secret)) == secret


def test_a_secret_is_found_in_a_link_that_was_wrapped() -> None:
    broken = f"https://id.example/account/email/undo#{RANDOM[:20]}\r\n{RANDOM[20:]}"
    assert secret_in(broken) == RANDOM


@pytest.mark.parametrize("pasted", ["", "https://id.example/", RANDOM[:-1], RANDOM * 2, "x" * 700])
def test_nothing_else_is_a_secret(pasted: str) -> None:
    assert secret_in(pasted) is None


def _asked(here: Place) -> dict[str, str]:
    with transaction():
        change = email_changes.begin_change(
            here.parent.id, "claire@example.org", "new@example.org", proved=True
        )
        return {each: email_changes.mint_link(change, each, "m") for each in ("confirm", "undo")}


def _address(here: Place) -> str | None:
    db.session.rollback()
    return db.session.get(Account, here.parent.id, populate_existing=True).email  # type: ignore[union-attr]


@on_sqlite
def test_the_pasted_link_leads_to_the_button_that_decides(here: Place) -> None:
    secret, before = _asked(here)["confirm"], _address(here)
    here.browser.open("/account/email/confirm")

    page = here.browser.submit(
        "mailed-link-form", link=f"http://127.0.0.1/account/email/confirm#{secret}"
    )

    assert here.browser.shows("confirm-email-form")
    assert secret not in page.request.path + page.text
    assert _address(here) == before
    here.browser.submit("confirm-email-form")
    assert _address(here) == "new@example.org"


@on_sqlite
@pytest.mark.parametrize("path", PAGES)
def test_what_is_no_link_is_told_and_stays_to_be_mended(here: Place, path: str) -> None:
    here.browser.open(path)
    page = here.browser.submit("mailed-link-form", link="the half of a link")
    assert page.status_code == 400
    assert here.browser.shows("link-problem")
    assert 'value="the half of a link"' in page.text


@on_sqlite
@pytest.mark.parametrize("path", PAGES)
def test_p7_opening_the_link_stores_nothing(app: Flask, here: Place, path: str) -> None:
    tables = db.metadata.sorted_tables
    count = " UNION ALL ".join(f"SELECT count(*) FROM {table.name}" for table in tables)
    before = db.session.execute(text(count)).all()
    for method in ("GET", "HEAD"):
        assert app.test_client().open(path, method=method).status_code == 200
    db.session.rollback()
    assert db.session.execute(text(count)).all() == before


@on_sqlite
@pytest.mark.parametrize("path", PAGES)
def test_s3_another_site_sends_no_secret_of_its_own(app: Flask, here: Place, path: str) -> None:
    stranger = app.test_client()
    stranger.get("/")
    assert stranger.post(path, data={"link": RANDOM}).status_code == 400
    fields = form_of(Browser(stranger).open(path).text, "mailed-link-form")[1]
    foreign = {"Sec-Fetch-Site": "cross-site"}
    sent = stranger.post(path, data={**fields, "link": RANDOM}, headers=foreign)
    assert sent.status_code == 403


HAVE_A_SECRET = {
    "email_confirm": "/account/email/confirm#",
    "email_change_asked": "/account/email/undo#",
    "email_changed_old": "/account/email/undo#",
    "two_step_on": "/account/factor/undo#",
    "guardianship_asked": "/account/guardianship#",
    **dict.fromkeys(("invitation", "fresh_token", "school_token", "specimen"), "/welcome#"),
}
_OURS = re.compile(r"http://127\.0\.0\.1:8000([^\s\"<>]*)")


def letters_of(here: Place, kind: str) -> str:
    """The mails of this kind in both forms, with every secret that the kind may hold."""
    status = "invited" if kind in {"invitation", "specimen"} else "active"
    reader = factories.account("ines", email="ines@example.org", status=status)
    child = factories.child(here.school, "Tom")
    switch_on(reader.id)
    with transaction():
        if kind != "invitation":
            link_requests.request_link(reader.id, child, "parent")
        else:
            factories.guardianship(reader, child)
        asked = link_requests.waiting_for(child.id)
        change = email_changes.begin_change(reader.id, reader.email, "new@example.org", proved=True)
        if kind == "email_changed_old":
            email_changes.confirm(change)
        about = {
            "email": "ines@example.org",
            "change_id": change.id,
            "request_id": asked[0].request.id if asked else "",
            "school_id": here.school.id,
            "closed_id": here.parent.id,
            "kind": "invitation",
            "on": clock.now().isoformat(),
        }
        message = outbox.enqueue(kind, account_id=reader.id, about=about)
        return "".join(each.text + each.html for each in delivery.composers[kind](message))


@on_sqlite
@pytest.mark.parametrize("kind", sorted(COMPOSERS))
def test_n8_no_mail_carries_a_secret_where_a_server_sees_it(here: Place, kind: str) -> None:
    assert kind in delivery.composers
    written = letters_of(here, kind)
    for address in _OURS.findall(written):
        seen = address.partition("#")[0]
        assert "?" not in seen
        assert not re.search(r"[\w-]{20}", seen), seen
    assert HAVE_A_SECRET.get(kind, "") in written


@on_sqlite
def test_n8_every_kind_of_mail_is_looked_at(app: Flask) -> None:
    assert delivery.composers.keys() == {*COMPOSERS}


def test_every_link_of_a_mail_is_a_button_and_stands_beneath_for_copying() -> None:
    templates = Path(__file__).parents[2] / "templates" / "mail"
    for template in sorted(templates.glob("*.html")):
        if template.name in {"parts.html", "layout.html"}:
            continue
        words = template.read_text("utf-8")
        assert "<a " not in words, f"{template.name}: a link beside the macro « button »"
        text = template.with_suffix(".txt").read_text("utf-8")
        if "{{ link }}" in text or "{{ undo }}" in text:
            assert "button(" in words, template.name
