"""A school's own words in mails: kept, shown, sent as a test, and nowhere else."""

from collections.abc import Iterator

import pytest

from idp.credentials import one_time_tokens
from idp.database import db, transaction
from idp.desk import schools
from idp.desk.access.rights import AT_TERMINAL
from idp.lifecycle.mails import previews
from idp.lifecycle.mails import tokens as token_mails
from idp.mail import delivery, outbox
from idp.mail.messages import Message
from idp.people import school_texts
from idp.people.models import Account
from idp.settings import Settings
from tests import factories, smtp
from tests.admin.places import Desk
from tests.admin.test_schools import changes_of
from tests.conftest import settings_for_tests
from tests.relying_party import Browser
from tests.smtp import MailServer
from tests.times import later

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)

OPENING = "Chers parents,\nvoici <b>votre</b> accès : https://evil.example/"
CLOSING = "La direction & le bureau"


@pytest.fixture
def mail_server() -> Iterator[MailServer]:
    with smtp.running() as server:
        yield server


@pytest.fixture
def settings(database_url: str, keys_folder: object, mail_server: MailServer) -> Settings:
    return settings_for_tests(database_url, keys_folder, mail_port=mail_server.port)  # type: ignore[arg-type]


def keep(desk: Desk, kind: str = "invitation", locale: str = "fr") -> None:
    where = (desk.here.id, kind, locale)
    schools.set_words(AT_TERMINAL, *where, opening=OPENING, closing=CLOSING)


def invited(desk: Desk) -> Account:
    parent, _ = factories.family(desk.here, "Lina", status="invited", email="claire@dubois.example")
    return parent


def letter_to(parent: Account, kind: str = "invitation") -> Message:
    db.session.rollback()
    with transaction():
        message = outbox.enqueue(kind, account_id=parent.id)
        (letter,) = token_mails.COMPOSERS[kind](message)
    return letter


def give_address(desk: Desk) -> None:
    account_id = desk.staff("manager").id
    with transaction() as writes:
        writes.get(Account, account_id).email = "bureau@tilleuls.example"


def text_page(desk: Desk, who: str = "manager", letter: str = "invitation/fr") -> Browser:
    browser = desk.browser(who)
    browser.open(f"/admin/schools/{desk.here.id}/mails/{letter}")
    return browser


class TestInLetters:
    def test_they_stand_around_ours_as_text_and_nothing_else(self, desk: Desk) -> None:
        keep(desk)

        letter = letter_to(invited(desk))

        assert letter.text.index("Chers parents") < letter.text.index("jeton")
        assert letter.text.index("La direction & le bureau") > letter.text.index("jeton")
        assert "voici &lt;b&gt;votre&lt;/b&gt;" in letter.html
        assert "La direction &amp; le bureau" in letter.html
        assert "<b>votre" not in letter.html
        assert 'href="https://evil.example' not in letter.html

    @pytest.mark.parametrize("kind", ["fresh_token", "password_changed"])
    def test_they_stand_in_no_other_letter(self, desk: Desk, kind: str) -> None:
        keep(desk)

        assert "Chers parents" not in letter_to(invited(desk), kind).text

    def test_they_stand_in_no_other_language(self, desk: Desk) -> None:
        keep(desk)
        parent = invited(desk)
        with transaction():
            parent.locale = "nl"

        assert "Chers parents" not in letter_to(parent).text

    def test_c3_one_school_does_not_speak_where_there_is_another(self, desk: Desk) -> None:
        keep(desk)
        parent = invited(desk)
        factories.guardianship(parent, factories.child(desk.elsewhere, "Noé"))

        letter = letter_to(parent)

        assert "Chers parents" not in letter.text + letter.html


class TestOnThePage:
    def test_words_are_kept_and_the_mail_is_shown_with_them(self, desk: Desk) -> None:
        manager = text_page(desk)

        page = manager.submit(
            "text-form", opening=" Chers  parents\r\n\r\n\r\nbonjour", closing="A"
        )

        kept = school_texts.words_of(desk.here.id, "invitation", "fr")
        assert (kept.opening, kept.closing) == ("Chers parents\n\nbonjour", "A")
        assert page.text.count("Chers parents") == 2  # in the field, and in the mail
        assert "Claire Dubois" in page.text
        (noted,) = changes_of(desk.here, "school_text_changed")
        assert noted["changes"]["closing"] == ["", "A"]

    def test_trying_them_keeps_nothing(self, desk: Desk) -> None:
        page = text_page(desk).submit("text-form", "act=try", opening="Chers parents", closing="")

        assert page.text.count("Chers parents") == 2
        assert not school_texts.words_of(desk.here.id, "invitation", "fr").any

    def test_what_can_not_be_kept_is_told_at_its_field(self, desk: Desk) -> None:
        manager = text_page(desk)

        for words in ("x" * 601, "a\u202eb", "a\x07b", "a\n" * 30):
            page = manager.submit("text-form", opening=words, closing="")
            assert page.status_code == 400
            assert 'id="opening-problem"' in page.text

    def test_two_editors_notice_each_other_from_the_first_words_on(self, desk: Desk) -> None:
        manager, operator = text_page(desk), text_page(desk, "operator")
        operator.submit("text-form", opening="Une", closing="")

        page = manager.submit("text-form", opening="Deux", closing="")

        assert 'id="form-notice"' in page.text
        assert school_texts.words_of(desk.here.id, "invitation", "fr").opening == "Une"
        manager.submit("text-form", opening="Deux", closing="")
        db.session.rollback()
        assert school_texts.words_of(desk.here.id, "invitation", "fr").opening == "Deux"

    def test_there_is_no_page_for_other_letters(self, desk: Desk) -> None:
        manager = desk.browser("manager").client
        for letter in ("password_changed/fr", "invitation/es", "x/y"):
            address = f"/admin/schools/{desk.here.id}/mails/{letter}"
            assert manager.get(address).status_code == 404

    def test_s4_the_preview_may_do_nothing_at_all(self, desk: Desk) -> None:
        keep(desk)
        manager = text_page(desk)

        page = manager.client.get(f"{manager.page.request.path}/preview")  # type: ignore[union-attr]

        policy = page.headers["Content-Security-Policy"]
        assert policy.startswith("default-src 'none'; style-src 'unsafe-inline'; sandbox;")
        assert "frame-ancestors 'none'" in policy
        assert page.headers["Cache-Control"] == "no-store"
        assert "&lt;b&gt;votre" in page.text
        assert "<script" not in page.text


class TestPreviews:
    def test_one_goes_to_whoever_asks_and_to_nobody_else(
        self, desk: Desk, mail_server: MailServer
    ) -> None:
        keep(desk)
        give_address(desk)
        manager = text_page(desk)

        manager.submit("test")
        db.session.rollback()
        delivery.deliver_due()
        page = manager.open(f"/admin/schools/{desk.here.id}/mails/invitation/fr")

        (letter,) = mail_server.letters
        assert letter.recipients == ["bureau@tilleuls.example"]
        assert letter.subject.startswith("Essai : ")
        assert "Chers parents" in letter.text
        assert "Claire Dubois" in letter.text
        assert 'class="tag tag-good"' in page.text

    def test_its_token_opens_nothing(self, desk: Desk) -> None:
        letter = previews.render_preview(desk.here, "invitation", "fr")

        assert previews.TOKEN in letter.text
        assert isinstance(one_time_tokens.find(previews.TOKEN), one_time_tokens.Unknown)

    def test_whoever_has_no_address_is_told(self, desk: Desk) -> None:
        page = text_page(desk).submit("test")

        assert "n'a pas d'adresse e-mail" in page.text.replace("&#39;", "'")
        assert outbox.list_messages() == []

    def test_e3_only_so_many_go_out_in_an_hour(self, desk: Desk) -> None:
        give_address(desk)
        manager = text_page(desk)
        for _ in range(previews.EACH_HOUR + 2):
            manager.submit("test")
        db.session.rollback()
        assert len(outbox.list_messages()) == previews.EACH_HOUR

        with later(minutes=61):
            previews.enqueue(desk.staff("manager").id, desk.here.id, "invitation", "fr")

        db.session.rollback()
        assert len(outbox.list_messages()) == previews.EACH_HOUR + 1
