"""N5 at the desk: a double click makes one pupil, one account, one member of staff, one mail."""

from typing import Any

from sqlalchemy import func, select

from idp.credentials.models import TotpSecret
from idp.database import db, transaction
from idp.mail.models import OutboxMessage
from idp.people.models import Account, Child
from tests import factories
from tests.admin.places import Desk
from tests.relying_party import Browser
from tests.second_factors import code_now
from tests.times import later
from tests.twice import at_once, sent
from tests.web.places import element


def count(model: Any) -> int:
    db.session.rollback()
    return db.session.scalar(select(func.count()).select_from(model)) or 0


def double_click(desk: Desk, browser: Browser, form_id: str, **fields: str) -> None:
    """Both get one answer, which the browser then follows."""
    action, data = sent(browser, form_id, **fields)
    first, second = at_once(desk.app, browser, action, data)
    assert first.status_code == second.status_code == 303
    assert first.headers["Location"] == second.headers["Location"]
    browser.page = browser._follow(second)
    assert browser.page.status_code == 200


def test_n5_a_double_click_adds_one_pupil_with_one_guardian(desk: Desk) -> None:
    manager = desk.browser("manager")
    manager.open(f"/admin/schools/{desk.here.id}/pupils/new")

    double_click(desk, manager, "pupil-form", given_name="Lou", family_name="Clic")

    assert count(Child) == 1
    before = count(Account)
    child = db.session.scalars(select(Child)).one()
    manager.open(f"/admin/pupils/{child.id}/new-guardian")
    person = {"given_name": "Mère", "family_name": "Clic", "email": "mere@clic.example"}
    double_click(
        desk, manager, "guardian-form", **person, invite="1", locale="fr", relationship="parent"
    )
    assert count(Account) == before + 1
    assert count(OutboxMessage) == 1


def test_n5_a_double_click_hires_one_member_of_staff(desk: Desk) -> None:
    manager = desk.browser("manager")
    manager.open("/admin/staff/new")
    before = count(Account)
    person = {"given_name": "Dora", "family_name": "Double", "email": "d@double.example"}

    double_click(desk, manager, "hire-form", **person, role="helper", school=desk.here.id)

    assert count(Account) == before + 1
    kinds = db.session.scalars(select(OutboxMessage.kind)).all()
    assert len(kinds) == len(set(kinds))


def test_a_form_of_the_desk_is_filled_after_the_proof_that_it_needed(desk: Desk) -> None:
    operator = desk.browser("operator")
    operator.open("/admin/applications/new")
    typed = {"client_name": "Cantine", "redirect_uris": "https://cantine.example/back"}
    with later(minutes=11):
        operator.submit("client-form", **typed, schools=desk.here.id)
        assert operator.shows("confirm-code-form")
        with transaction() as writes:
            writes.execute(TotpSecret.__table__.update().values(last_step=0))
        code = code_now(desk._secrets["operator"])
        page = operator.submit("confirm-code-form", code=code)

    assert page.request.path == "/admin/applications/new"
    assert element(page, "client_name")["value"] == "Cantine"
    assert "https://cantine.example/back</textarea>" in page.text.replace("\n", "")


def test_a_mistake_at_the_desk_is_answered_by_a_page_that_can_be_reloaded(desk: Desk) -> None:
    factories.family(desk.here, "Lou")
    manager = desk.browser("manager")
    manager.open(f"/admin/schools/{desk.here.id}/pupils/new")
    wrong = {"family_name": "Clic", "class_name": "x" * 50}
    action, data = sent(manager, "pupil-form", given_name="Lou", **wrong)

    answer = manager.client.open_once(action, method="POST", data=data)  # type: ignore[attr-defined]

    assert answer.status_code == 303
    page = manager.open(answer.headers["Location"])
    assert page.status_code == 400
    assert element(page, "family_name")["value"] == "Clic"
    manager.submit("pupil-form", given_name="Lou", family_name="Clic", class_name="")
    assert count(Child) == 2
