"""Mails by what the reader is: a parent, a colleague, both; with the face of the school."""

import re
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from PIL import Image

from idp.mail import delivery, outbox
from idp.people import staff
from idp.people.logos import MAILED_BYTES, cleaned
from idp.people.models import Account, School
from idp.people.school_texts import set_words
from idp.people.schools import change_school
from idp.settings import Settings
from tests import factories, smtp
from tests.admin.pictures import picture
from tests.conftest import settings_for_tests
from tests.smtp import Letter, MailServer

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


@pytest.fixture
def mail_server() -> Iterator[MailServer]:
    with smtp.running() as server:
        yield server


@pytest.fixture
def settings(database_url: str, keys_folder: Path, mail_server: MailServer) -> Settings:
    return settings_for_tests(database_url, keys_folder, mail_port=mail_server.port)


@pytest.fixture
def school(app: Flask) -> School:
    return factories.school("Collège des Tilleuls", colour="#7a1f3d")


@pytest.fixture
def post(app: Flask, mail_server: MailServer) -> Any:
    def deliver(kind: str, **values: Any) -> Letter:
        outbox.enqueue(kind, **values)
        delivery.deliver_due()
        return mail_server.letters[-1]

    return deliver


def newcomer(**changes: Any) -> Account:
    values = {"status": "invited", "email": "i@maes.example", "locale": "fr", **changes}
    return factories.account("ines.maes", **values)


def said(letter: Letter) -> str:
    """Both forms, on one line each; they must say the same."""
    return " ".join(letter.text.split()) + " | " + " ".join(letter.html.split())


@pytest.mark.parametrize(
    ("role", "named"),
    [
        ("helper", "vous aidez les responsables (Collège des Tilleuls)"),
        ("manager", "vous gérez les élèves et les responsables (Collège des Tilleuls)"),
        ("operator", "vous êtes opérateur"),
    ],
)
def test_a_colleague_is_invited_to_their_work_and_to_no_childs_page(
    school: School, post: Any, role: str, named: str
) -> None:
    colleague = newcomer()
    staff.grant(colleague.id, role, None if role == "operator" else school.id)

    letter = post("invitation", account_id=colleague.id)

    for form in (letter.text, letter.html):
        words = " ".join(form.split())
        assert named in words
        assert "enfant" not in words
        assert "bureau de l&#39;école" in words or "bureau de l'école" in words
    assert ("Collège des Tilleuls" in letter.subject) == (role != "operator")
    assert len(letter.tokens) == 1


def test_a_parent_who_works_at_the_school_too_is_told_of_both(school: School, post: Any) -> None:
    both = newcomer()
    factories.guardianship(both, factories.child(school, "Tom"))
    staff.grant(both.id, "helper", school.id)

    letter = post("invitation", account_id=both.id)

    assert "la page de votre enfant" in letter.text
    assert "vous aidez les responsables" in letter.text


def test_the_words_of_a_school_to_its_parents_are_not_sent_to_a_colleague(
    school: School, post: Any
) -> None:
    set_words(school.id, "invitation", "fr", opening="Chers parents", closing="", version=None)
    colleague = newcomer()
    staff.grant(colleague.id, "helper", school.id)

    assert "Chers parents" not in said(post("invitation", account_id=colleague.id))


def test_a_colleague_of_no_school_asks_the_platform(app: Flask, post: Any) -> None:
    operator = newcomer()
    staff.grant(operator.id, "operator")

    letter = post("password_changed", account_id=operator.id)

    assert "qui gèrent la plateforme" in letter.text
    assert "enfant" not in said(letter)


def test_answers_go_to_the_school_and_the_mail_says_so(school: School, post: Any) -> None:
    parent, _ = factories.family(school, "Tom", username="claire", email="c@dubois.example")

    letter = post("password_reset", about={"email": "c@dubois.example"})

    assert letter.message["Reply-To"] == school.contact_email
    assert "Si vous y répondez" in letter.text or "If you reply" in letter.text
    assert parent.email not in str(letter.message["Reply-To"])


def test_without_a_school_that_answers_nobody_is_promised(app: Flask, post: Any) -> None:
    silent = factories.school("École du Moulin", contact_email="")
    factories.family(silent, "Tom", username="claire", email="c@dubois.example", locale="fr")

    letter = post("password_reset", about={"email": "c@dubois.example"})

    assert letter.message["Reply-To"] is None
    assert "personne ne lit les réponses" in letter.text


def test_families_at_two_schools_get_the_face_and_the_mailbox_of_neither(
    school: School, post: Any
) -> None:
    parent, _ = factories.family(school, "Tom", username="claire", email="c@dubois.example")
    other = factories.school("École du Moulin", contact_email="m@moulin.example", colour="#0a5c36")
    factories.guardianship(parent, factories.child(other, "Zoé"))

    letter = post("password_reset", about={"email": "c@dubois.example"})

    assert letter.message["Reply-To"] is None
    assert "#7a1f3d" not in letter.html
    assert "#0a5c36" not in letter.html


def test_a_mail_has_the_schools_face_a_button_and_the_address_in_words(
    school: School, post: Any
) -> None:
    factories.family(school, "Tom", username="claire", email="c@dubois.example", locale="fr")

    letter = post("password_reset", about={"email": "c@dubois.example"})

    assert "background:#7a1f3d" in letter.html
    assert letter.html.index("Collège des Tilleuls") < letter.html.index("<h1")
    link = next(line for line in letter.text.splitlines() if "/welcome" in line)
    assert letter.html.count(f'href="{link}"') == 2
    assert "Choisir mon mot de passe" in letter.html
    assert "break-all" not in letter.html


def parts_of(letter: Letter) -> list[str]:
    return [part.get_content_type() for part in letter.message.walk() if not part.is_multipart()]


def test_a_mail_shows_the_schools_logo_from_within_itself(school: School, post: Any) -> None:
    factories.family(school, "Tom", username="claire", email="c@dubois.example", locale="fr")
    plain = post("password_reset", about={"email": "c@dubois.example"})
    assert parts_of(plain) == ["text/plain", "text/html"]
    change_school(school.id, None, {"logo_png": cleaned(picture(size=(600, 300)))})

    letter = post("password_reset", about={"email": "c@dubois.example"})

    assert parts_of(letter) == ["text/plain", "text/html", "image/png"]
    (shown,) = re.findall(r"<img [^>]*>", letter.html)
    assert 'alt="Collège des Tilleuls"' in shown
    (source,) = re.findall(r'src="cid:([^"]+)"', shown)
    (logo,) = [part for part in letter.message.walk() if part.get_content_type() == "image/png"]
    assert logo["Content-ID"] == f"<{source}>"
    assert logo.get_content_disposition() == "inline"
    assert logo.get_payload(decode=True)[:4] == b"\x89PNG"  # type: ignore[index]
    assert "http" not in shown
    assert "logo" not in letter.text
    others = re.sub(r"(?:[0-9A-Z]{4}-){6}[0-9A-Z]{4}|\d+", "", plain.text)
    assert re.sub(r"(?:[0-9A-Z]{4}-){6}[0-9A-Z]{4}|\d+", "", letter.text) == others


def test_a_logo_like_a_photograph_is_made_small_for_mails(school: School, post: Any) -> None:
    noise = Image.effect_noise((288, 88), 90).convert("RGB")
    written = BytesIO()
    noise.save(written, "PNG")
    change_school(school.id, None, {"logo_png": cleaned(written.getvalue())})
    factories.family(school, "Tom", username="claire", email="c@dubois.example", locale="fr")

    letter = post("password_reset", about={"email": "c@dubois.example"})

    (logo,) = [part for part in letter.message.walk() if part.get_content_type() == "image/png"]
    assert len(logo.get_payload(decode=True) or b"") <= MAILED_BYTES  # type: ignore[arg-type]


def test_families_at_two_schools_see_the_logo_of_neither(school: School, post: Any) -> None:
    parent, _ = factories.family(school, "Tom", username="claire", email="c@dubois.example")
    factories.guardianship(parent, factories.child(factories.school("École du Moulin"), "Zoé"))
    change_school(school.id, None, {"logo_png": cleaned(picture())})

    assert "image/png" not in parts_of(post("password_reset", about={"email": "c@dubois.example"}))


def test_a_changed_logo_is_in_the_next_mail(school: School, post: Any) -> None:
    factories.family(school, "Tom", username="claire", email="c@dubois.example")
    seen = set()
    for colour in ("#a02030", "#20a030"):
        change_school(school.id, None, {"logo_png": cleaned(picture(colour=colour))})
        letter = post("password_reset", about={"email": "c@dubois.example"})
        seen.update(re.findall(r'src="cid:([^"]+)"', letter.html))
    assert len(seen) == 2


def test_each_token_of_a_shared_mailbox_stands_under_its_holders_name(
    school: School, post: Any
) -> None:
    for given, username in (("Anne", "anne"), ("Luc", "luc")):
        parent = factories.account(username, given_name=given, email="nous@maes.example")
        factories.guardianship(parent, factories.child(school, "Tom"))

    letter = post("password_reset", about={"email": "nous@maes.example"})

    for form in (letter.text, letter.html):
        body = " ".join(form.rpartition("own token")[2].split())
        assert re.search(r"Anne Dubois.*: anne\b.*Luc Dubois.*: luc\b", body), body
