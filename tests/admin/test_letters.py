"""Printed letters: who may, for whom, once, and that the paper opens the account (rules A2–A5)."""

import logging
import re
from html import unescape
from io import BytesIO
from types import SimpleNamespace
from urllib.parse import urlsplit

import pytest
from flask import Flask, render_template_string
from PIL import Image
from sqlalchemy import func, select
from werkzeug.test import TestResponse

from idp.audit.models import AuditEvent
from idp.credentials import one_time_tokens
from idp.database import db, transaction
from idp.desk.access import rights as desk_staff
from idp.desk.access.rights import AT_TERMINAL, Staff
from idp.desk.printed_letters import recipients
from idp.desk.printed_letters import service as printed_letters
from idp.desk.printed_letters import words as letter_words
from idp.errors import Conflict
from idp.lifecycle import endings, passwords
from idp.lifecycle.mails import requests as mail_requests
from idp.mail.models import OutboxMessage
from idp.people import guardianships, staff
from idp.people.models import Account
from tests import factories
from tests.admin import papers
from tests.admin.places import Desk
from tests.factories import PASSWORD
from tests.relying_party import Browser
from tests.times import later

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)

TOKEN = re.compile(r"[0-9A-HJKMNP-TV-Z]{4}(?:-[0-9A-HJKMNP-TV-Z]{4}){6}")


def invited(desk: Desk, *pupils: str, **account: str) -> Account:
    return factories.family(desk.here, *pupils or ("Lina",), status="invited", **account)[0]


def printing(desk: Desk, who: str = "manager") -> Browser:
    return desk.browser(who, may_print=True)


def print_one(browser: Browser, account: Account) -> TestResponse:
    browser.open(f"/admin/people/{account.id}/letter")
    return browser.submit("letter-form")


def open_class(browser: Browser, desk: Desk, name: str = "3B") -> TestResponse:
    return browser.open(f"/admin/letters/{desk.here.id}?class={name}")


def printed_for(account: Account) -> list[AuditEvent]:
    db.session.rollback()
    query = select(AuditEvent).where(
        AuditEvent.event == "letter_printed", AuditEvent.account_id == account.id
    )
    return list(db.session.scalars(query))


def fate(token: str) -> str:
    db.session.rollback()
    return type(one_time_tokens.find(token)).__name__


class TestPaper:
    def test_a_letter_tells_the_family_what_to_do_in_its_language(self, desk: Desk) -> None:
        parent = invited(desk, "Lina", "Noé", username="claire", locale="nl")

        answer = print_one(printing(desk), parent)

        words = papers.text(answer.data)
        assert answer.mimetype == "application/pdf"
        for part in ("Beste Claire Dubois,", "claire", "Lina Dubois (3B)", "Collège des Tilleuls"):
            assert part in words
        for part in ("Mme Peeters", "bureau@tilleuls.example", "AANMELDCODE", "http://127.0.0.1"):
            assert part in words
        assert len(TOKEN.findall(words)) == 1

    def test_the_picture_opens_the_page_with_the_token_and_it_works_once(self, desk: Desk) -> None:
        answer = print_one(printing(desk), invited(desk, username="claire"))
        link = papers.link(answer.data)
        family = Browser(desk.app.test_client())

        family.open(urlsplit(link).path)  # what stands after the # stays in the browser

        token = TOKEN.findall(papers.text(answer.data))[0]
        assert link.endswith(f"/welcome#{token}")
        family.submit("token-form", token=token)
        family.submit("password-form", new_password=PASSWORD, repeat_password=PASSWORD)
        assert family.shows("sign-out")
        assert fate(token) == "Spent"

    def test_a5_the_token_stands_on_paper_and_nowhere_else(
        self, desk: Desk, caplog: pytest.LogCaptureFixture
    ) -> None:
        caplog.set_level(logging.DEBUG)
        answer = print_one(printing(desk), invited(desk))

        token = TOKEN.findall(papers.text(answer.data))[0]
        told = papers.reader(answer.data).metadata
        assert not any(TOKEN.search(str(each)) for each in (told or {}).values())
        assert token not in str(answer.headers) + caplog.text + answer.request.url
        db.session.rollback()
        kept = db.session.execute(select(AuditEvent.detail)).all()
        assert not any(token in str(row) for row in kept)
        assert token not in repr(letter_words.Letter("", "", (), token, None, None))  # type: ignore[arg-type]
        assert token not in repr(printed_letters.Printout(token.encode(), 1))

    def test_the_file_says_what_it_is_and_is_kept_by_nobody(self, desk: Desk) -> None:
        answer = print_one(printing(desk), invited(desk, username="claire"))

        assert answer.headers["Cache-Control"] == "no-store"
        named = 'attachment; filename="Lettre - Claire Dubois.pdf"'
        assert answer.headers["Content-Disposition"] == named
        document = papers.reader(answer.data)
        assert document.metadata
        assert document.metadata.title
        assert "Collège des Tilleuls" in document.metadata.title
        assert document.root_object["/Lang"] == "fr"
        assert len(answer.data) < 60_000

    @pytest.mark.parametrize(
        ("given", "family", "shown"),
        [
            ("Ειρήνη", "Παππά", "Ειρήνη Παππά"),
            ("Зоя", "Иванова", "Зоя Иванова"),
            ("小明", "王", "XiaoMing Wang"),
            ("A" * 120, "B" * 120, "A" * 20),
        ],
        ids=["greek", "cyrillic", "chinese, as it is spoken", "very long"],
    )
    def test_names_of_any_script_can_be_read(
        self, desk: Desk, given: str, family: str, shown: str
    ) -> None:
        parent = invited(desk, given_name=given, family_name=family)
        printout = printed_letters.print_letter(AT_TERMINAL, parent.id)
        assert shown in papers.text(printout.pdf)

    def test_arabic_letters_are_joined_and_run_from_the_right(self, desk: Desk) -> None:
        parent = invited(desk, given_name="محمد", family_name="الأمين")
        printout = printed_letters.print_letter(AT_TERMINAL, parent.id)
        assert TOKEN.search(papers.text(printout.pdf))
        assert "محمد" in papers.text(printout.pdf)

    @pytest.mark.parametrize("logo", [b"", b"\x89PNG\r\n\x1a\nbroken"])
    def test_a_logo_that_cannot_be_read_is_left_out(self, desk: Desk, logo: bytes) -> None:
        with transaction():
            desk.here.logo_png = logo
        printout = printed_letters.print_letter(AT_TERMINAL, invited(desk).id)
        assert "Collège des Tilleuls" in papers.text(printout.pdf)

    def test_the_logo_stands_on_the_letter(self, desk: Desk) -> None:
        picture = BytesIO()
        Image.new("RGBA", (80, 40), (20, 90, 60, 128)).save(picture, "PNG")
        with transaction():
            desk.here.logo_png = picture.getvalue()
        printout = printed_letters.print_letter(AT_TERMINAL, invited(desk).id)
        sizes = {each.image.size for each in papers.reader(printout.pdf).pages[0].images}
        assert (80, 40) in sizes


class TestWho:
    @pytest.mark.parametrize("who", ["helper", "manager", "operator"])
    def test_a5_nobody_prints_whose_role_does_not_say_so(self, desk: Desk, who: str) -> None:
        parent = invited(desk)
        browser = desk.browser(who)

        for path in ("/admin/letters", f"/admin/people/{parent.id}/letter"):
            assert browser.open(path).status_code == 403
        assert not printed_for(parent)
        assert not browser.shows("desk-letters")

    @pytest.mark.parametrize("who", ["helper", "manager", "operator"])
    def test_whoever_may_print_does(self, desk: Desk, who: str) -> None:
        parent = invited(desk)
        browser = printing(desk, who)

        assert print_one(browser, parent).mimetype == "application/pdf"

        (event,) = printed_for(parent)
        assert event.actor == desk.staff(who).id
        assert event.school_id == desk.here.id

    def test_a2_for_another_school_there_is_nobody_to_print_for(self, desk: Desk) -> None:
        parent = invited(desk)
        stranger = printing(desk, "stranger")

        unknown = stranger.open("/admin/people/a_nobody/letter")
        for path in (
            f"/admin/people/{parent.id}/letter",
            f"/admin/letters/{desk.here.id}?class=3B",
        ):
            assert stranger.open(path).status_code == unknown.status_code == 404
        token = stranger.open("/admin/letters").text
        csrf = re.findall(r'name="csrf_token" value="([^"]+)"', token)[0]
        for path in (f"/admin/people/{parent.id}/letter", f"/admin/letters/{desk.here.id}"):
            fields = {"csrf_token": csrf, "seen": "0", "class": "3B", "again": "1"}
            assert stranger.client.post(f"{path}/print", data=fields).status_code == 404
        assert stranger.open(f"/admin/letters?school={desk.here.id}").status_code == 404
        assert not printed_for(parent)

    def test_a2_a_guardian_of_two_schools_has_the_letter_of_the_school_that_prints(
        self, desk: Desk
    ) -> None:
        parent = invited(desk, "Lina")
        factories.guardianship(parent, factories.child(desk.elsewhere, "Tom", class_name="9Z"))

        words = papers.text(print_one(printing(desk, "stranger"), parent).data)

        assert "Athénée du Parc" in words
        assert "Tom Dubois (9Z)" in words
        assert "Tilleuls" not in words
        assert "Lina" not in words

    def test_c3_a_letter_of_another_school_is_not_told(self, desk: Desk) -> None:
        parent = invited(desk, "Lina")
        factories.guardianship(parent, factories.child(desk.elsewhere, "Tom", class_name="9Z"))
        printed_letters.print_class(AT_TERMINAL, desk.elsewhere.id, "9Z")

        page = open_class(printing(desk), desk)
        (here,) = recipients.classes(desk.here)

        assert "Jamais" in page.text
        assert (here.with_letter, here.printed_at, here.seen) == (0, None, 0)

    def test_a2_an_ended_guardianship_or_a_pupil_who_left_has_no_letter(self, desk: Desk) -> None:
        parent = invited(desk)
        child = guardianships.live_children(parent.id)[0][0]
        endings.end_guardianship(parent.id, child.id, "court")

        assert printing(desk).open(f"/admin/people/{parent.id}/letter").status_code == 404
        with pytest.raises(Conflict, match="nobody_left"):
            printed_letters.print_class(AT_TERMINAL, desk.here.id, "3B")

    def test_a3_without_a_fresh_proof_nothing_is_printed(self, desk: Desk) -> None:
        parent = invited(desk)
        browser = printing(desk)
        browser.open(f"/admin/people/{parent.id}/letter")

        with later(minutes=11):
            answer = browser.submit("letter-form")

        assert "confirm" in answer.request.path
        assert not printed_for(parent)

    def test_s3_a_form_of_another_site_prints_nothing(self, desk: Desk) -> None:
        parent = invited(desk)
        browser = printing(desk)
        page = browser.open(f"/admin/people/{parent.id}/letter")
        csrf = re.findall(r'name="csrf_token" value="([^"]+)"', page.text)[0]
        path = f"/admin/people/{parent.id}/letter/print"

        foreign = browser.client.post(
            path,
            data={"csrf_token": csrf, "seen": "0"},
            headers={"Origin": "https://evil.example", "Sec-Fetch-Site": "cross-site"},
        )
        bare = browser.client.post(path, data={"seen": "0"})

        assert (foreign.status_code, bare.status_code) == (403, 400)
        assert not printed_for(parent)


class TestWhen:
    @pytest.mark.parametrize("status", ["active", "disabled"])
    def test_a5_an_account_that_is_not_invited_has_no_letter(self, desk: Desk, status: str) -> None:
        parent = invited(desk)
        browser = printing(desk)
        browser.open(f"/admin/people/{parent.id}/letter")
        with transaction():
            parent.status = status

        answer = browser.submit("letter-form")

        assert answer.status_code == 409
        assert browser.shows("letter-refused")
        assert not printed_for(parent)
        with pytest.raises(Conflict, match="not_invited"):
            printed_letters.print_letter(AT_TERMINAL, parent.id)

    def test_a3_no_letter_is_printed_for_staff(self, desk: Desk) -> None:
        parent = invited(desk)
        staff.grant(parent.id, "manager", desk.elsewhere.id)
        assert print_one(printing(desk), parent).status_code == 409
        assert not printed_for(parent)

    def test_p15_a_letter_ends_the_tokens_of_earlier_letters_and_mails(self, desk: Desk) -> None:
        parent = invited(desk)
        mailed = one_time_tokens.mint(parent.id, "first_sign_in", outbox_id="m_1")

        browser = printing(desk)
        first = TOKEN.findall(papers.text(print_one(browser, parent).data))[0]
        second = TOKEN.findall(papers.text(print_one(browser, parent).data))[0]

        assert [fate(each) for each in (mailed, first, second)] == ["Unknown", "Unknown", "Live"]

    def test_the_same_form_twice_prints_once_and_says_why(self, desk: Desk) -> None:
        parent = invited(desk)
        browser = printing(desk)
        browser.open(f"/admin/people/{parent.id}/letter")
        shown = browser.page
        first = browser.submit("letter-form")
        browser.page = shown

        again = browser.submit("letter-form")

        assert (first.status_code, again.status_code) == (200, 409)
        assert browser.shows("form-notice")
        assert len(printed_for(parent)) == 1
        assert fate(TOKEN.findall(papers.text(first.data))[0]) == "Live"
        assert browser.submit("letter-form").mimetype == "application/pdf"  # now they know

    def test_a_bad_number_of_the_last_printing_is_refused(self, desk: Desk) -> None:
        parent = invited(desk)
        browser = printing(desk)
        for seen in ("", "-1", "x", "9" * 30):
            browser.open(f"/admin/people/{parent.id}/letter")
            assert browser.submit("letter-form", seen=seen).status_code == 400
        assert not printed_for(parent)


class TestClass:
    def test_a_class_is_printed_in_the_order_of_its_pupils(self, desk: Desk) -> None:
        for name in ("Zoé", "Anna"):
            parent = invited(desk, given_name=f"P{name}")
            factories.guardianship(parent, factories.child(desk.here, name, class_name="5A"))
        other = factories.family(desk.here, "Mia", status="invited", given_name="Other")[0]

        browser = printing(desk)
        open_class(browser, desk, "5A")
        answer = browser.submit("letters-form")

        pages = [page.extract_text() for page in papers.reader(answer.data).pages]
        assert ["PAnna" in pages[0], "PZoé" in pages[1], len(pages)] == [True, True, 2]
        assert papers.link(answer.data, 0) != papers.link(answer.data, 1)
        assert not printed_for(other)

    def test_who_has_an_address_or_a_letter_is_printed_only_where_asked_for(
        self, desk: Desk
    ) -> None:
        paper = invited(desk)
        mail = invited(desk, email="tom@example.org")
        browser = printing(desk)

        def pages(**ticks: str) -> int:
            open_class(browser, desk)
            answer = browser.submit("letters-form", **ticks)
            return len(papers.reader(answer.data).pages) if answer.status_code == 200 else 0

        assert pages() == 1
        assert (len(printed_for(paper)), len(printed_for(mail))) == (1, 0)
        assert pages() == 0
        assert pages(with_email="1") == 1
        assert pages(with_email="1", again="1") == 2

    def test_a_second_press_on_the_page_that_stayed_says_that_they_were_just_printed(
        self, desk: Desk
    ) -> None:
        invited(desk)
        browser = printing(desk)
        page = open_class(browser, desk)
        seen = {"class": "3B", "seen": "0"}
        assert "Chargez-la à nouveau" in page.text

        assert browser.submit("letters-form", **seen).mimetype == "application/pdf"
        open_class(browser, desk)
        second = browser.submit("letters-form", **seen)

        assert second.status_code == 409
        assert "après l'affichage de cette page" in unescape(second.text)
        assert "Il ne reste personne" not in second.text

    def test_the_parent_of_two_classes_does_not_lose_the_first_letter(self, desk: Desk) -> None:
        parent = invited(desk)
        factories.guardianship(parent, factories.child(desk.here, "Noé", class_name="5A"))
        first = printed_letters.print_class(AT_TERMINAL, desk.here.id, "3B")

        with pytest.raises(Conflict, match="nobody_left"):
            printed_letters.print_class(AT_TERMINAL, desk.here.id, "5A")
        assert fate(TOKEN.findall(papers.text(first.pdf))[0]) == "Live"

    def test_a_letter_that_has_expired_counts_no_more(self, desk: Desk) -> None:
        invited(desk)
        printed_letters.print_class(AT_TERMINAL, desk.here.id, "3B")
        with later(days=15):
            assert printed_letters.print_class(AT_TERMINAL, desk.here.id, "3B").letters == 1

    def test_who_has_signed_in_meanwhile_is_left_out(self, desk: Desk) -> None:
        early, late = invited(desk), invited(desk)
        browser = printing(desk)
        open_class(browser, desk)
        found = one_time_tokens.find(mail_requests.issue_letter_token(early.id))
        assert isinstance(found, one_time_tokens.Live)
        passwords.claim_with_token(found.token.id, PASSWORD)

        answer = browser.submit("letters-form")

        assert len(papers.reader(answer.data).pages) == 1
        assert (len(printed_for(early)), len(printed_for(late))) == (0, 1)

    def test_the_list_says_who_waits_and_when_was_printed(self, desk: Desk) -> None:
        invited(desk)
        invited(desk, email="tom@example.org")
        factories.family(desk.here, "Ida")
        printed_letters.print_class(AT_TERMINAL, desk.here.id, "3B")

        (found,) = recipients.classes(desk.here)

        counts = (found.invited, found.without_email, found.with_letter, found.to_print)
        assert counts == (2, 1, 1, 0)
        assert found.printed_at is not None
        page = printing(desk).open("/admin/letters")
        assert "3B" in page.text
        assert "Jamais" not in page.text

    def test_no_mail_is_queued_by_printing(self, desk: Desk) -> None:
        invited(desk)
        printed_letters.print_class(AT_TERMINAL, desk.here.id, "3B")
        assert db.session.scalar(select(func.count()).select_from(OutboxMessage)) == 0


class TestWayFromOtherPages:
    """``letter_act.html`` stands on pages of people and of classes."""

    def act(self, app: Flask, template: str, **context: object) -> str:
        with app.test_request_context("/"):
            return render_template_string(f"{{% include '{template}' %}}", **context)

    def test_the_persons_page_offers_a_letter_to_who_may_print_it(self, desk: Desk) -> None:
        parent = invited(desk)
        template = "admin/people/letter_act.html"
        may = desk_staff.staff_of(desk.staff("manager", may_print=True).id)
        may_elsewhere = desk_staff.staff_of(desk.staff("stranger", may_print=True).id)
        may_not = desk_staff.staff_of(desk.staff("helper").id)

        context = {"account": parent, "person": SimpleNamespace(holder=Staff(parent.id))}
        shown = [
            "letter-open" in self.act(desk.app, template, staff=each, **context)
            for each in (may, may_elsewhere, may_not)
        ]
        with transaction():
            parent.status = "active"
        assert shown == [True, False, False]
        assert "letter-open" not in self.act(desk.app, template, staff=may, **context)

    def test_the_classes_page_offers_letters_where_they_may_be_printed(self, desk: Desk) -> None:
        template = "admin/classes/letter_act.html"
        may = desk_staff.staff_of(desk.staff("manager", may_print=True).id)
        for school, shown in ((desk.here, True), (desk.elsewhere, False)):
            act = self.act(desk.app, template, school=school, class_name="3 B", staff=may)
            assert ("letters-open" in act) == shown
            assert ("class=3+B" in act) == shown
