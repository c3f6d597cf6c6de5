"""Whom an import is about: everybody, by kind, before it and afterwards; rows to correct."""

from html import unescape
from io import BytesIO
from pathlib import Path

import pytest
from openpyxl import load_workbook
from sqlalchemy import func, select

from idp import purge
from idp.database import db
from idp.people.models import Child
from idp.roster import service
from idp.roster.models import RosterChange
from idp.roster.question_models import RosterRemark
from tests.admin.places import Desk
from tests.admin.rosters import applied, begun, chosen, upload, whole, work_off, zipped
from tests.admin.test_imports import of_district
from tests.relying_party import Browser
from tests.roster.files import OneRoster
from tests.times import later
from tests.wording import words

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)

MANY = 130


def path_of(browser: Browser) -> str:
    assert browser.page is not None
    return browser.page.request.path


def people(browser: Browser, address: str, **query: str) -> list[str]:
    """The rows of the page that lists them, each as one line of words."""
    answer = browser.client.get(f"{address}/people", query_string=query)
    assert answer.status_code == 200
    body = answer.text.partition('id="people"')[2].partition("<tbody>")[2].partition("</tbody>")[0]
    return [words(row) for row in body.split("</tr>") if row.strip()]


def at_terminal(run_id: str) -> str:
    """What ``idp roster show --people`` says."""
    return str(service.with_people(service.kept(run_id), run_id))


def a_school(class_name: str, count: int = MANY) -> OneRoster:
    made = OneRoster()
    made.school()
    for number in range(count):
        made.pupil(f"p{number}", "Lina", f"Dubois{number}", f"g{number}", class_name=class_name)
        made.guardian(f"g{number}", "Claire", f"Dubois{number}")
    return made


def test_everybody_behind_a_finding_is_listed_before_and_after(desk: Desk, tmp_path: str) -> None:
    browser = begun(desk, "manager", zipped(a_school("3B"), tmp_path))  # type: ignore[arg-type]
    address, here = path_of(browser), desk.here.id
    asked = {"school": here, "kind": "guardians_without_address"}

    def listed() -> set[str]:
        rows = people(browser, address, **asked) + people(browser, address, **asked, page="2")
        return {row.split()[-1] for row in rows}

    everybody = {f"Dubois{number}" for number in range(MANY)}
    assert listed() == everybody

    browser.submit("apply-form")
    work_off()

    assert listed() == everybody
    assert len(people(browser, address, school=here, kind="child_made")) == 100


def test_what_changes_is_told_by_field_from_old_to_new(desk: Desk, tmp_path: str) -> None:
    manager = desk.browser("manager")
    applied(desk, manager, zipped(a_school("3A"), tmp_path))  # type: ignore[arg-type]
    second = a_school("4A")
    second.users[0]["familyName"] = "Maes"

    browser = begun(desk, manager, zipped(second, tmp_path))  # type: ignore[arg-type]
    address = path_of(browser)
    page = unescape(browser.client.get(address).text)
    rows = people(browser, address, school=desk.here.id, kind="child_changed.name")

    assert f"3A → 4A: {MANY}" in page
    assert rows == ["Lina Maes Lina Dubois0 Lina Maes"]
    assert people(browser, address, school=desk.here.id, kind="child_changed.class")[1].endswith(
        "3A 4A"
    )
    assert set(db.session.scalars(select(Child.class_name))) == {"3A"}  # nothing has changed yet

    browser.submit("apply-form")
    work_off()

    assert f"3A → 4A: {MANY}" in unescape(browser.client.get(address).text)
    assert people(browser, address, school=desk.here.id, kind="child_changed.name") == rows


def test_c3_a_school_learns_that_a_file_differs_and_not_what_of_it_counts(
    desk: Desk, tmp_path: str
) -> None:
    first = whole()
    manager = desk.browser("manager")
    applied(desk, manager, zipped(first, tmp_path))  # type: ignore[arg-type]
    for row in first.users:
        if row["sourcedId"] == "g1":
            row["email"] = "new@dubois.example"
    browser = begun(desk, manager, zipped(first, tmp_path))  # type: ignore[arg-type]
    address, here = path_of(browser), desk.here.id

    (differing,) = people(browser, address, school=here, kind="guardian_differs")
    assert "new@dubois.example" in differing
    page = browser.client.get(f"{address}/people?school={here}&kind=account_changed.email").text
    assert 'value="account_changed.email"' not in page

    operator = desk.browser("operator")
    assert people(operator, address, school=here, kind="account_changed.email")
    assert (
        'value="guardian_differs"'
        not in operator.client.get(f"{address}/people?school={here}").text
    )


def test_without_a_school_the_people_of_the_own_school_are_told(desk: Desk, tmp_path: str) -> None:
    browser = begun(desk, "manager", zipped(a_school("3B", 3), tmp_path))  # type: ignore[arg-type]
    address = path_of(browser)

    page = browser.client.get(f"{address}/people")
    rows = people(browser, address)

    assert desk.here.name in page.text
    assert rows
    assert rows == people(browser, address, school=desk.here.id)


def test_each_school_of_a_file_is_a_choice(desk: Desk, tmp_path: Path) -> None:
    operator = desk.browser("operator")
    address = of_district(desk, operator, tmp_path)

    first = people(operator, address)
    page = operator.client.get(f"{address}/people").text
    second = people(operator, address, school=desk.elsewhere.id, kind="child_made")

    assert first
    for school in (desk.here, desk.elsewhere):
        assert f'<option value="{school.id}"' in page
    assert [row for row in second if "Zoé Dubois" in row]
    assert not [row for row in second if "Lina Dubois" in row]


def test_a2_another_schools_people_are_not_found(desk: Desk, tmp_path: str) -> None:
    address = path_of(begun(desk, "manager", zipped(whole(), tmp_path)))  # type: ignore[arg-type]

    stranger = desk.browser("stranger")

    for school in (desk.here.id, desk.elsewhere.id):
        answer = stranger.client.get(f"{address}/people", query_string={"school": school})
        assert answer.status_code == 404
    manager = desk.browser("manager")
    assert manager.client.get(f"{address}/people?school={desk.elsewhere.id}").status_code == 404
    assert manager.client.get(f"{address}/people?school=%27").status_code == 404


def test_names_go_when_the_import_can_t_be_undone_any_more_or_is_forgotten(
    desk: Desk, tmp_path: str
) -> None:
    def counted() -> tuple[int, int]:
        db.session.rollback()
        models = (RosterChange, RosterRemark)
        first, second = (db.session.scalar(select(func.count()).select_from(m)) for m in models)
        return first or 0, second or 0

    manager = desk.browser("manager")
    begun(desk, manager, zipped(a_school("3B", 3), tmp_path))  # type: ignore[arg-type]
    assert all(counted())
    manager.submit("discard-form")
    work_off()
    assert counted() == (0, 0)

    applied(desk, manager, zipped(a_school("3B", 3), tmp_path))  # type: ignore[arg-type]
    with later(days=7):
        purge.run(pause=0)
    assert all(counted())
    with later(days=9):
        purge.run(pause=0)
    assert counted() == (0, 0)


def test_p10_nobody_is_named_after_the_week_though_no_purge_came_by(
    desk: Desk, tmp_path: str
) -> None:
    manager = desk.browser("manager")
    applied(desk, manager, zipped(a_school("3B", 3), tmp_path))  # type: ignore[arg-type]
    address = path_of(manager)
    places = [{"school": desk.here.id, "kind": "child_made"}, {"school": desk.here.id}]
    run = address.rpartition("/")[2]

    assert all(people(manager, address, **each) for each in places)
    assert "Dubois1" in at_terminal(run)
    with later(days=7, minutes=1):
        desk_then = desk.browser("manager")
        assert not any(people(desk_then, address, **each) for each in places)
        assert "Dubois1" not in desk_then.client.get(address).text
        assert "Dubois1" not in at_terminal(run)
    assert db.session.scalar(select(func.count()).select_from(RosterChange))


def test_p10_what_waits_no_longer_names_nobody_though_no_purge_came_by(desk: Desk) -> None:
    browser = begun(desk, "manager", LIST.encode("cp1252"), "liste.csv")
    browser.submit("columns-form", **chosen(browser.page.text if browser.page else ""))
    work_off()
    address = path_of(browser).removesuffix("/columns")
    run = address.rpartition("/")[2]
    listed = {"school": desk.here.id, "kind": "child_made"}
    files = [f"{address}/rejected{end}" for end in ("", ".csv", ".xlsx")]

    assert people(browser, address, **listed)
    assert [browser.client.get(each).status_code for each in files] == [200, 200, 200]
    with later(days=1, minutes=1):
        then = desk.browser("manager")
        assert not people(then, address, **listed)
        assert not people(then, address)
        assert [then.client.get(each).status_code for each in files] == [404, 404, 404]
        assert "Dubois" not in then.client.get(address).text
        assert "Dubois" not in at_terminal(run)


LIST = (
    "Nom;Prénom;Classe;Matricule;Responsable;E-mail responsable\r\n"
    "Dubois;Lina;3B;0417;Claire DUBOIS;claire@dubois.example\r\n"
    "Maes;#N/A;2A;0418;Marc MAES;marc@maes.example\r\n"
    "Claes;=1+1;2A;0419;Els CLAES;els@claes.example\r\n"
)


def test_a6_rejected_rows_are_a_workbook_of_text_that_is_corrected_and_imported(desk: Desk) -> None:
    manager = desk.browser("manager")
    browser = begun(desk, manager, LIST.encode("cp1252"), "liste.csv")
    browser.submit("columns-form", **chosen(browser.page.text if browser.page else ""))
    work_off()
    address = path_of(browser).removesuffix("/columns")

    answer = browser.client.get(f"{address}/rejected.xlsx")
    book = load_workbook(BytesIO(answer.data))
    sheet = book.active
    assert sheet is not None
    told = answer.headers["Content-Disposition"]
    assert "corriger" in told
    assert "rejected" not in told
    cells = [cell for row in sheet.iter_rows() for cell in row if cell.value is not None]
    assert {cell.data_type for cell in cells} == {"s"}
    assert [cell.value for cell in sheet[1]][:4] == ["Nom", "Prénom", "Classe", "Matricule"]
    assert "=1+1" in {cell.value for cell in cells}

    for row in sheet.iter_rows(min_row=2):
        row[1].value = "Zoé"
    out = BytesIO()
    book.save(out)
    again = upload(manager, desk.here, out.getvalue(), "corrected.xlsx", delta="yes")
    work_off()
    manager.open(again.headers["Location"])
    manager.submit("columns-form", **chosen(manager.page.text if manager.page else ""))
    work_off()
    manager.open(again.headers["Location"])
    manager.submit("apply-form")
    work_off()
    found = {(c.given_name, c.sourced_id) for c in db.session.scalars(select(Child))}
    assert found == {("Zoé", "0418"), ("Zoé", "0419")}
