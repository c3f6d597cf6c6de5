"""What a school shows of itself: who may change it, what is checked, who notices whom."""

import re
from dataclasses import replace
from threading import Barrier, Thread
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import select

from idp.audit.models import AuditEvent
from idp.database import db
from idp.desk import schools
from idp.desk.access.rights import AT_TERMINAL
from idp.errors import Conflict, NotFound
from idp.lifecycle.mails import tokens as token_mails
from idp.mail import outbox
from idp.people import schools as kept
from idp.people.models import School
from idp.settings import Settings
from idp.settings.providers import ProviderSettings
from tests import factories
from tests.admin.places import Desk
from tests.relying_party import Browser, RelyingParty, forms_of

pytestmark = pytest.mark.quick_on("sqlite")

on_sqlite = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)

PROVIDERS = (
    ProviderSettings(
        key="google", client_id="g", client_secret="s" * 40, issuer="https://google.example"
    ),
    ProviderSettings(
        key="cabanga", client_id="c", client_secret="s" * 40, issuer="https://id.cabanga.example"
    ),
)

WRONG = (
    ("identity-form", "name", " "),
    ("identity-form", "name", "x" * 121),
    ("identity-form", "name", "a\u202eb"),
    ("identity-form", "colour", "red; } body {"),
    ("contact-form", "contact_email", "nobody at all"),
    ("contact-form", "contact_phone", "0" * 41),
    ("staying-form", "stay_signed_in_days", "366"),
    ("staying-form", "stay_signed_in_days", "-1"),
    ("leavers-form", "keep_leavers_days", "29"),
    ("leavers-form", "keep_leavers_days", "1096"),
)


@pytest.fixture
def settings(settings: Settings) -> Settings:
    return replace(settings, providers=PROVIDERS)


def now(school: School) -> School:
    db.session.rollback()  # SQLite would go on showing what it showed before
    db.session.expire_all()
    found = db.session.get(School, school.id)
    assert found is not None
    return found


def changes_of(school: School, event: str = "school_changed") -> list[dict[str, Any]]:
    query = select(AuditEvent).where(AuditEvent.event == event, AuditEvent.school_id == school.id)
    return [row.detail for row in db.session.scalars(query.order_by(AuditEvent.id))]


@on_sqlite
class TestScope:
    def test_a_manager_of_one_school_is_led_straight_to_it(self, desk: Desk) -> None:
        page = desk.browser("manager").open("/admin/schools")

        assert page.request.path == f"/admin/schools/{desk.here.id}"

    def test_an_operator_finds_every_school_and_makes_one(self, desk: Desk) -> None:
        operator = desk.browser("operator")
        page = operator.open("/admin/schools")
        assert desk.here.name in page.text
        assert desk.elsewhere.name in page.text

        operator.open("/admin/schools/new")
        made = operator.submit("school-form", name=" Collège  Neuf ", locale="nl")

        assert "<h1>Collège Neuf</h1>" in made.text
        assert ("Collège Neuf", "nl") in [(each.name, each.locale) for each in kept.list_schools()]

    def test_nobody_else_makes_one_and_a_helper_changes_none(self, desk: Desk) -> None:
        manager, helper = desk.browser("manager").client, desk.browser("helper").client
        assert manager.get("/admin/schools/new").status_code == 403
        assert helper.get("/admin/schools/new").status_code == 403
        assert helper.get(f"/admin/schools/{desk.here.id}").status_code == 403

    def test_a2_a_manager_of_another_school_finds_nothing_anywhere(self, desk: Desk) -> None:
        manager, stranger = desk.browser("manager"), desk.browser("stranger")
        page = manager.open(f"/admin/schools/{desk.here.id}")
        actions = {form.action for form in forms_of(page.text) if "/schools/" in form.action}
        own = f"/admin/schools/{desk.here.id}"
        letter = f"{own}/mails/invitation/fr"
        actions |= {f"{own}/logo/remove", letter, f"{letter}/test"}
        theirs = stranger.open(f"/admin/schools/{desk.elsewhere.id}")
        token = forms_of(theirs.text)[0].hidden["csrf_token"]
        before = now(desk.here).version

        for action in actions:
            answer = stranger.client.post(action, data={"csrf_token": token, "version": "0"})
            assert answer.status_code == 404, action
        for page in ("", "/mails", "/mails/invitation/fr", "/mails/invitation/fr/preview"):
            address = f"/admin/schools/{desk.here.id}{page}"
            assert stranger.client.get(address).status_code == 404, address

        assert len(actions) >= 8
        assert now(desk.here).version == before

    def test_a2_the_service_finds_nothing_for_them_either(self, desk: Desk) -> None:
        from idp.desk.access import rights as staff

        stranger = staff.staff_of(desk.staff("stranger").id)
        assert stranger is not None
        with pytest.raises(NotFound):
            schools.change(stranger, desk.here.id, {"name": "Volé"})
        assert [school.id for school in schools.mine(stranger)] == [desk.elsewhere.id]


@on_sqlite
class TestChanges:
    def test_name_and_colour_are_kept_and_the_journal_says_what_they_were(self, desk: Desk) -> None:
        manager = desk.browser("manager")
        manager.open(f"/admin/schools/{desk.here.id}")

        manager.submit("identity-form", name="Collège Neuf", colour="A02030", picked="#1d4f91")

        assert (now(desk.here).name, now(desk.here).colour) == ("Collège Neuf", "#a02030")
        (noted,) = changes_of(desk.here)
        assert noted["changes"]["name"] == ["Collège des Tilleuls", "Collège Neuf"]
        assert noted["changes"]["colour"] == ["#1d4f91", "#a02030"]

    def test_a_colour_that_was_picked_counts_where_none_was_typed(self, desk: Desk) -> None:
        manager = desk.browser("manager")
        manager.open(f"/admin/schools/{desk.here.id}")

        manager.submit("identity-form", name="X", colour="#1d4f91", picked="#00aa55")

        assert now(desk.here).colour == "#00aa55"

    def test_a_pale_colour_is_kept_and_what_becomes_of_it_is_told(self, desk: Desk) -> None:
        manager = desk.browser("manager")
        manager.open(f"/admin/schools/{desk.here.id}")

        page = manager.submit("identity-form", name="X", colour="#ff9", picked="")

        assert now(desk.here).colour == "#ffff99"
        assert 'class="proof-moved"' in page.text
        ratios = [
            float(each.replace(",", ".")) for each in re.findall(r"liens (\d+[.,]\d)", page.text)
        ]
        assert len(ratios) == 2
        assert min(ratios) >= 4.5

    def test_trying_a_colour_keeps_nothing(self, desk: Desk) -> None:
        manager = desk.browser("manager")
        manager.open(f"/admin/schools/{desk.here.id}")

        page = manager.submit("identity-form", "act=try", name="Y", colour="#a02030", picked="")

        assert page.status_code == 200
        assert "#a02030" in page.text
        wrong = manager.submit("identity-form", "act=try", name="Y", colour="red", picked="")
        assert 'id="colour-problem"' in wrong.text
        assert (now(desk.here).name, now(desk.here).version) == ("Collège des Tilleuls", 0)

    def test_what_can_not_be_kept_is_told_at_its_field(self, desk: Desk) -> None:
        manager = desk.browser("manager")

        for form, field, typed in WRONG:
            manager.open(f"/admin/schools/{desk.here.id}")
            page = manager.submit(form, **{"name": "X", "colour": "#000000", field: typed})
            assert page.status_code == 400, typed
            assert f'id="{field}-problem"' in page.text
            assert f'href="#{field}"' in page.text

        assert now(desk.here).version == 0

    @pytest.mark.parametrize(("typed", "stored"), [("30", 30), ("0", 0), ("", None)])
    def test_for_how_long_families_stay_signed_in_is_kept(
        self, desk: Desk, typed: str, stored: int | None
    ) -> None:
        kept.change_school(desk.here.id, None, {"stay_signed_in_days": 7})
        manager = desk.browser("manager")
        manager.open(f"/admin/schools/{desk.here.id}")

        manager.submit("staying-form", stay_signed_in_days=typed)

        assert now(desk.here).stay_signed_in_days == stored
        (noted,) = changes_of(desk.here)
        assert noted["changes"] == {"stay_signed_in_days": [7, stored]}

    @pytest.mark.parametrize(("typed", "stored"), [("30", 30), ("1095", 1095), ("", None)])
    def test_for_how_long_who_left_is_kept(
        self, desk: Desk, typed: str, stored: int | None
    ) -> None:
        kept.change_school(desk.here.id, None, {"keep_leavers_days": 100})
        manager = desk.browser("manager")
        manager.open(f"/admin/schools/{desk.here.id}")

        manager.submit("leavers-form", keep_leavers_days=typed)

        assert now(desk.here).keep_leavers_days == stored
        (noted,) = changes_of(desk.here)
        assert noted["changes"] == {"keep_leavers_days": [100, stored]}

    def test_the_journal_names_no_person(self, desk: Desk) -> None:
        manager = desk.browser("manager")
        manager.open(f"/admin/schools/{desk.here.id}")

        manager.submit(
            "contact-form", contact_name="M. Leroy", contact_email="leroy@tilleuls.example"
        )

        (noted,) = changes_of(desk.here)
        assert noted["personal"] == ["contact_name"]
        assert noted["changes"] == {
            "contact_email": ["b…u@tilleuls.example", "l…y@tilleuls.example"]
        }

    def test_nothing_is_noted_where_nothing_changed(self, desk: Desk) -> None:
        manager = desk.browser("manager")
        manager.open(f"/admin/schools/{desk.here.id}")

        manager.submit("identity-form", name=desk.here.name, colour=desk.here.colour)

        assert changes_of(desk.here) == []


@on_sqlite
class TestTwoEditors:
    def test_the_second_one_is_told_and_loses_nothing(self, desk: Desk) -> None:
        manager, operator = desk.browser("manager"), desk.browser("operator")
        manager.open(f"/admin/schools/{desk.here.id}")
        operator.open(f"/admin/schools/{desk.here.id}")
        operator.submit("contact-form", contact_name="M. Leroy", contact_phone="02")

        page = manager.submit("contact-form", contact_name="Mme Roy", contact_phone="03")

        assert page.status_code == 400
        assert 'id="form-notice"' in page.text
        assert 'value="Mme Roy"' in page.text
        assert "M. Leroy" in page.text
        assert now(desk.here).contact_name == "M. Leroy"
        manager.submit("contact-form", contact_name="Mme Roy", contact_phone="03")
        assert now(desk.here).contact_name == "Mme Roy"


def test_of_two_at_the_very_same_time_one_wins_and_one_is_told(app: Flask) -> None:
    school = factories.school()
    start, outcomes = Barrier(2, timeout=60), []

    def change(name: str) -> None:
        with app.app_context():
            start.wait()
            try:
                schools.change(AT_TERMINAL, school.id, {"name": name}, version=0)
                outcomes.append(name)
            except Conflict:
                outcomes.append("told")

    threads = [Thread(target=change, args=(name,)) for name in ("Un", "Deux")]
    for each in threads:
        each.start()
    for each in threads:
        each.join()

    assert max(outcomes) == "told"
    assert now(school).name in outcomes
    assert len(changes_of(school)) == 1


@on_sqlite
class TestLanguages:
    def offer(self, desk: Desk, first: str, *others: str) -> None:
        manager = desk.browser("manager")
        page = manager.open(f"/admin/schools/{desk.here.id}")
        form = next(each for each in forms_of(page.text) if each.id == "languages-form")
        data = {**form.hidden, "locale": first, "languages": list(others)}
        assert manager.client.post(form.action, data=data).status_code == 303

    def at_sign_in(self, desk: Desk, accepts: str) -> str:
        browser = Browser(desk.app.test_client())
        browser.client.environ_base["HTTP_ACCEPT_LANGUAGE"] = accepts
        return browser.open(RelyingParty.of(desk.here).authorize_path()).text

    def test_the_sign_in_page_offers_the_schools_languages_alone(self, desk: Desk) -> None:
        self.offer(desk, "nl", "fr")

        page = self.at_sign_in(desk, "fr")

        assert '<html lang="fr">' in page
        assert re.findall(r'id="language-(\w\w)"', page) == ["fr", "nl"]

    def test_whoever_wishes_none_of_them_gets_the_first(self, desk: Desk) -> None:
        self.offer(desk, "nl", "fr")

        assert '<html lang="nl">' in self.at_sign_in(desk, "de")

    def test_the_first_is_always_among_them(self, desk: Desk) -> None:
        self.offer(desk, "de")

        assert kept.offered_languages(now(desk.here)) == ("de",)
        assert re.findall(r'id="language-(\w\w)"', self.at_sign_in(desk, "de")) == ["de"]

    def test_what_somebody_wished_is_spoken_all_the_same(self, desk: Desk) -> None:
        self.offer(desk, "nl")
        browser = Browser(desk.app.test_client())
        path = RelyingParty.of(desk.here).authorize_path(ui_locales="fr")

        page = browser.open(path).text

        assert '<html lang="fr">' in page
        assert re.findall(r'id="language-(\w\w)"', page) == ["fr", "nl"]

    def test_other_schools_offer_all(self, desk: Desk) -> None:
        self.offer(desk, "nl")
        browser = Browser(desk.app.test_client())

        page = browser.open(RelyingParty.of(desk.elsewhere).authorize_path()).text

        assert re.findall(r'id="language-(\w\w)"', page) == ["fr", "nl", "de", "en"]

    def test_its_mails_speak_the_first_where_nobody_wishes_another(self, desk: Desk) -> None:
        self.offer(desk, "de")
        parent, _ = factories.family(
            desk.here, "Lina", status="invited", email="claire@dubois.example"
        )

        now(desk.here)
        (letter,) = token_mails.invitation(outbox.enqueue("invitation", account_id=parent.id))

        assert letter.locale == "de"


@on_sqlite
class TestProviders:
    def hide(self, desk: Desk, *shown: str) -> Browser:
        manager = desk.browser("manager")
        page = manager.open(f"/admin/schools/{desk.here.id}")
        form = next(each for each in forms_of(page.text) if each.id == "providers-form")
        data = {**form.hidden, "shown": list(shown)}
        assert manager.client.post(form.action, data=data).status_code == 303
        return manager

    def at_sign_in(self, desk: Desk, *schools: School) -> Browser:
        browser = Browser(desk.app.test_client())
        browser.open(RelyingParty.of(*schools).authorize_path())
        return browser

    def test_its_sign_in_page_shows_those_that_are_ticked(self, desk: Desk) -> None:
        assert self.at_sign_in(desk, desk.here).shows("provider-google")
        self.hide(desk, "cabanga")

        browser = self.at_sign_in(desk, desk.here)

        assert browser.shows("provider-cabanga")
        assert not browser.shows("provider-google")

    def test_a_hidden_one_begins_no_walk_whatever_is_posted(self, desk: Desk) -> None:
        self.hide(desk)
        browser = self.at_sign_in(desk, desk.here)
        assert browser.page is not None
        path = browser.page.request.path.removesuffix("/login")
        token = forms_of(browser.page.text)[0].hidden["csrf_token"]

        answer = browser.client.post(
            f"{path}/with", data={"csrf_token": token, "provider": "google"}
        )

        assert answer.status_code == 404

    def test_other_pages_show_it_still(self, desk: Desk) -> None:
        self.hide(desk)

        assert self.at_sign_in(desk, desk.elsewhere).shows("provider-google")
        assert self.at_sign_in(desk, desk.here, desk.elsewhere).shows("provider-google")
        home = Browser(desk.app.test_client())
        home.open("/")
        assert home.shows("provider-google")

    def test_what_is_not_configured_is_refused_and_what_was_hidden_stays_so(
        self, desk: Desk
    ) -> None:
        schools.change(AT_TERMINAL, desk.here.id, {"hidden_providers": ["facebook"]})
        manager = self.hide(desk, "google")

        assert kept.hidden_providers(now(desk.here)) == {"cabanga", "facebook"}
        manager.open(f"/admin/schools/{desk.here.id}")
        assert manager.submit("providers-form", shown="nobody").status_code == 400
