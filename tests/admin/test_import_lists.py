"""Lists on the desk: how they lie in their file, which column is what, and who asks to undo."""

import errno
from io import BytesIO

import pytest
from openpyxl import Workbook
from sqlalchemy import select

from idp.database import db
from idp.people.models import Child
from idp.roster import spool
from tests.admin.places import Desk
from tests.admin.rosters import LIST, applied, begun, chosen, upload, whole, work_off, zipped
from tests.relying_party import Browser
from tests.wording import words

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)

HEADER = ["Nom", "Prénom", "Classe", "Responsable"]


def page_of(browser: Browser) -> str:
    assert browser.page is not None
    browser.open(browser.page.request.path.removesuffix("/layout").removesuffix("/columns"))
    return browser.page.text


def a_workbook(*, twice: bool = False) -> bytes:
    book = Workbook()
    for title, given in (("P1", "Zoé"), ("P2", "Léa")):
        sheet = book.create_sheet(title)
        sheet.append(["Nom", "Nom"] if twice else ["École Saint-Joseph"])
        sheet.append(HEADER)
        sheet.append(["Maes", given, title, "CLAES Els"])
    book.worksheets[2].sheet_state = "hidden"
    out = BytesIO()
    book.save(out)
    return out.getvalue()


def test_names_with_accents_are_shown_and_the_encoding_is_chosen(desk: Desk) -> None:
    content = "Nom;Prénom;Classe;Responsable\r\nLéger;Zoé;3B;CLAES Els\r\n".encode("cp850")
    browser = begun(desk, "manager", content, "liste.csv")
    page = page_of(browser)
    assert chosen(page)["encoding"] == "cp850"
    assert '<span class="sample">Léger</span>' in page.partition('id="names-read"')[2]

    browser.submit("layout-form", encoding="cp1252")
    work_off()

    page = page_of(browser)
    assert chosen(page)["encoding"] == "cp1252"
    assert "L‚ger" in page.partition('id="names-read"')[2]


def test_sheets_and_the_line_of_the_header_are_chosen(desk: Desk) -> None:
    browser = begun(desk, "manager", a_workbook(), "ecole.xlsx")
    page = page_of(browser)
    assert "P2" in page.partition('id="sheets-left-out"')[2].partition("</ul>")[0]
    assert browser.submit("layout-form", header="x").status_code == 400
    page_of(browser)

    browser.submit("layout-form", header="2", sheet="P2")
    work_off()
    browser.submit("columns-form", **chosen(page_of(browser)))
    work_off()
    page_of(browser)
    browser.submit("apply-form")
    work_off()

    assert db.session.scalars(select(Child.given_name)).all() == ["Léa"]


def test_a_header_that_can_t_be_read_is_no_dead_end(desk: Desk) -> None:
    content = b"Nom;Nom;X\r\nNom;Prenom;Classe;Responsable\r\nMaes;Tom;3B;CLAES Els\r\n"
    browser = begun(
        desk, "manager", content.replace(b"X\r\n", b"Classe;Responsable 1;Lien\r\n", 1), "l.csv"
    )
    assert 'id="layout-trouble"' in page_of(browser)

    browser.submit("layout-form", header="2")
    work_off()

    assert chosen(page_of(browser))["column-1"] == "pupil.given"


def test_what_is_new_beside_a_kept_mapping_is_guessed_and_told(desk: Desk) -> None:
    manager = desk.browser("manager")
    browser = begun(desk, manager, LIST.encode(), "liste.csv")
    browser.submit("columns-form", **chosen(page_of(browser)), keep="yes")
    work_off()
    wider = LIST.replace("\r\n", ";\r\n").replace("naissance;", "naissance;Matricule").encode()

    page = page_of(begun(desk, manager, wider, "liste.csv"))

    assert chosen(page)["column-6"] == "pupil.number"
    assert page.count("Nouveau dans cette liste") == 1
    assert "jamais conservé" in page  # the birth date


def test_an_undo_says_what_it_does_and_asks(desk: Desk, tmp_path: object) -> None:
    browser = applied(desk, "manager", zipped(whole(), tmp_path))  # type: ignore[arg-type]
    page = page_of(browser)
    told = page.partition('id="undo-does"')[2].partition("</ul>")[0]
    assert "3 × Élèves qui quittent de nouveau l'école" in words(told)

    assert browser.submit("undo-form").status_code == 400
    assert browser.shows("undo-problem")
    assert work_off() == 0


def test_a_full_disk_is_said_in_a_sentence(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(spool, "store_file", full)

    answer = upload(desk.browser("manager"), desk.here, LIST.encode(), "liste.csv")

    assert answer.status_code == 507
    assert 'id="form-notice"' in answer.text
    assert work_off() == 0


ROWS = (
    "Nom;Prénom;Classe;Nom mère;Prénom mère;E-mail mère\r\n"
    "Dubois;Lina;3B;Dubois;Claire;claire@dubois.example\r\n"
    "Maes;;2A;Maes;Ann;＝1+1\r\n"
    "Claes;Tom;2A;Claes;Els;zoé@claes.example\r\n"
)


def test_rejected_rows_are_corrected_and_imported_again(desk: Desk) -> None:
    manager = desk.browser("manager")
    browser = begun(desk, manager, ROWS.encode(), "liste 3B.csv")
    browser.submit("columns-form", **chosen(page_of(browser)), keep="yes")
    work_off()
    page_of(browser)
    browser.submit("apply-form")
    work_off()
    address = browser.page.request.path.removesuffix("/apply") if browser.page else ""

    page = browser.open(f"{address}/rejected").text
    assert "Responsable 1" in page
    assert page.count('<th scope="row"') == 2
    page = browser.open(f"{address}/rejected?reason=email_wrong").text
    assert page.count('<th scope="row"') == 1
    assert '<th scope="col">Prénom</th>' in page
    page = browser.open(f"{address}/rejected?reason=name_missing").text
    assert page.count('<th scope="row"') == 1
    assert '<th scope="col">Prénom</th>' not in page, "a column that is empty in all rows"
    answer = browser.client.get(f"{address}/rejected.csv")
    assert "lignes a corriger.csv" in answer.headers["Content-Disposition"]
    written = answer.data.decode("utf-8-sig")
    assert "'＝1+1" in written
    header, first, second = written.splitlines()
    assert header.startswith(
        '"Nom";"Prénom";"Classe";"Nom mère";"Prénom mère";"E-mail mère";"Ligne"'
    )
    assert first.startswith('"Maes";"";"2A"')

    corrected = "\r\n".join(
        [header, first.replace('"";"2A"', '"Jo";"2A"'), second.replace("zoé@", "zoe@")]
    )
    again = upload(manager, desk.here, corrected.encode(), "corrige.csv", delta="yes")
    work_off()
    browser.open(again.headers["Location"])
    browser.submit("columns-form", **chosen(page_of(browser)))
    work_off()
    page_of(browser)
    browser.submit("apply-form")
    work_off()

    names = db.session.scalars(
        select(Child.given_name).where(Child.left_at.is_(None)).order_by(Child.given_name)
    ).all()
    assert names == ["Jo", "Lina", "Tom"]
