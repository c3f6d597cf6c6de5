"""A person's page and a pupil's: found within the scope, silent about everything else."""

from datetime import timedelta

import pytest

from idp import clock
from idp.database import transaction
from idp.lifecycle import endings
from idp.lifecycle.mails import requests as mail_requests
from idp.mail import outbox
from idp.oidc.models import Grant
from idp.people.models import Account, Child
from idp.privacy import erasure
from idp.sessions import service as sessions
from tests import factories
from tests.admin.places import Desk
from tests.relying_party import Browser

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


def both(desk: Desk) -> tuple[Account, Child, Child]:
    """Claire, who has Lina here and Noé at the other school."""
    claire, (lina,) = factories.family(
        desk.here, "Lina", username="claire", email="claire@dubois.example"
    )
    noe = factories.child(desk.elsewhere, "Noé", family_name="Ailleurs")
    factories.guardianship(claire, noe)
    return claire, lina, noe


def heading(page: str) -> str:
    """What a page says above all."""
    return page.partition("<h1>")[2].partition("</h1>")[0]


def text(browser: Browser, path: str) -> str:
    page = browser.open(path)
    assert page.status_code == 200, page.text[:2000]
    return page.text


def test_a_helper_finds_the_person_with_what_they_may_do_and_no_more(desk: Desk) -> None:
    claire, lina, _noe = both(desk)
    browser = desk.browser("helper")

    page = text(browser, f"/admin/people/{claire.id}")

    assert "claire@dubois.example" in page
    assert browser.shows("send-token")
    for act in ("person-edit", "person-link", "person-merge", "person-close", "enable"):
        assert not browser.shows(act)
    assert not browser.open(f"/admin/pupils/{lina.id}").text.count("pupil-add-guardian")


def test_a2_a_manager_of_the_wrong_school_finds_nobody(desk: Desk) -> None:
    claire, (lina,) = factories.family(desk.here, "Lina", username="claire")
    browser = desk.browser("stranger")
    nobody = browser.open("/admin/people/a_nobody")

    for path in (
        f"/admin/people/{claire.id}",
        f"/admin/people/{claire.id}/edit",
        f"/admin/people/{claire.id}/close",
        f"/admin/people/{claire.id}/merge",
        f"/admin/people/{claire.id}/link",
        f"/admin/pupils/{lina.id}",
        f"/admin/pupils/{lina.id}/edit",
        f"/admin/pupils/{lina.id}/new-guardian",
        f"/admin/pupils/{lina.id}/guardians/{claire.id}",
        f"/admin/schools/{desk.here.id}/pupils/new",
    ):
        found = browser.open(path)
        assert (found.status_code, heading(found.text)) == (404, heading(nobody.text)), path
        assert "Dubois" not in found.text


def test_a2_ids_that_are_none_are_not_found(desk: Desk) -> None:
    browser = desk.browser("manager")
    for odd in ("%00", "a'--", "x" * 65, "..%2f"):
        assert browser.client.get(f"/admin/people/{odd}").status_code == 404


def test_c3_a_manager_sees_nothing_of_a_child_elsewhere(desk: Desk) -> None:
    claire, lina, noe = both(desk)
    erasure.request_erasure(claire.id)
    secret = factories.client_app(desk.elsewhere, client_name="Portail du Parc")
    shared = factories.client_app(desk.here, desk.elsewhere, client_name="Cantine")
    ours = factories.client_app(desk.here, client_name="Bulletins")
    session, _cookie = sessions.begin(claire.id, amr=("pwd",), acr="1", device="Firefox, Mac")
    with transaction() as writes:
        for app, child in ((secret, noe), (shared, noe), (ours, lina)):
            grant = Grant(account_id=claire.id, client_id=app.client.id, session_id=session.id)
            grant.child_id, grant.scope, grant.amr, grant.acr = child.id, "openid", "pwd", "1"
            grant.auth_time = clock.now()
            writes.add(grant)
    here = desk.browser("manager")

    page = text(here, f"/admin/people/{claire.id}") + text(here, f"/admin/pupils/{lina.id}")

    assert "Firefox, Mac" in page
    assert "Bulletins" in page
    for each in ("Noé", "Ailleurs", "Athénée", "Portail du Parc", "Cantine", noe.id):
        assert each not in page
    operators = text(desk.browser("operator"), f"/admin/people/{claire.id}")
    for each in ("Noé", "Portail du Parc", "Cantine"):
        assert each in operators


def test_c3_a_mail_about_somebody_to_another_school_is_told_to_that_school_alone(
    desk: Desk,
) -> None:
    claire, _lina, _noe = both(desk)
    with transaction():
        outbox.enqueue(
            "erasure_asked", account_id=claire.id, about={"school_id": desk.elsewhere.id}
        )
        outbox.enqueue("password_changed", account_id=claire.id)
        outbox.enqueue(
            "accounts_merged",
            account_id=claire.id,
            about={"closed_id": "a_x", "schools": [desk.elsewhere.id]},
        )
    page = text(desk.browser("manager"), f"/admin/people/{claire.id}")
    assert page.count("Le mot de passe a été modifié") == 1
    assert "Demande d&#39;effacement, à l&#39;école" not in page
    assert "Deux comptes" not in page


def test_c3_what_was_before_the_first_pupil_here_is_not_told(desk: Desk) -> None:
    claire, _lina, _noe = both(desk)
    session, _cookie = sessions.begin(claire.id, amr=("pwd",), acr="1", device="Opera, Mac")
    message = outbox.enqueue("password_changed", account_id=claire.id)
    with transaction():
        session.auth_time = message.created_at = clock.now() - timedelta(days=200)

    page = text(desk.browser("manager"), f"/admin/people/{claire.id}")

    assert "Opera, Mac" not in page
    assert "Le mot de passe a été modifié" not in page
    assert "Opera, Mac" in text(desk.browser("operator"), f"/admin/people/{claire.id}")


def test_c3_after_the_end_a_page_has_the_name_and_the_end_and_nothing_more(desk: Desk) -> None:
    claire, lina, _noe = both(desk)
    sessions.begin(claire.id, amr=("pwd",), acr="1", device="Firefox, Mac")
    endings.end_guardianship(claire.id, lina.id, "lettre du 3 mars", "court")
    browser = desk.browser("manager")

    page = text(browser, f"/admin/people/{claire.id}")

    assert "Décision d&#39;un tribunal" in page
    assert "lettre du 3 mars" in page
    for each in ("claire@dubois.example", "Firefox, Mac", "send-token", "person-edit"):
        assert each not in page


def test_the_state_is_told_in_whole_sentences(desk: Desk) -> None:
    claire, _ = factories.family(
        desk.here, "Lina", username="claire", status="invited", email="claire@x.example"
    )
    outbox.refused(mail_requests.invite(claire.id), "550 5.1.1 no such user")
    page = text(desk.browser("manager"), f"/admin/people/{claire.id}")
    assert "Invité le" in page
    assert "Personne n&#39;a cette adresse." in page


def test_a_pupil_page_shows_guardians_and_no_siblings(desk: Desk) -> None:
    _claire, (lina, _noe) = factories.family(desk.here, "Lina", "Noé", username="claire")
    page = text(desk.browser("helper"), f"/admin/pupils/{lina.id}")
    assert "Claire Dubois" in page
    assert "Noé" not in page
