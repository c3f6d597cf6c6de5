"""Two spellings of one name are one person; what is shown is what was written."""

from pathlib import Path

import pytest
from sqlalchemy import select

from idp.database import db
from idp.people.models import Account, Child
from idp.people.names import clean_text
from idp.people.normalise import comparable
from tests.cli.conftest import Run, refused
from tests.roster.conftest import Import, JsonOf
from tests.roster.files import table

pytestmark = pytest.mark.long_on("postgresql")

HEADER = ["Nom", "Prénom", "Classe", "Nom responsable 1", "Prénom responsable 1", "E-mail 1"]
WRITTEN = [
    ["D’Hœkelaere", "Maëlys", "P1", "D’Hœkelaere", "Zoé", "z9@c.example"],
    ["Sørensen", "Ida", "P1", "Sørensen", "Bo", "b9@c.example"],
    ["Łukasik", "Ola", "P1", "Łukasik", "Ewa", "e9@c.example"],
    ["Weiß", "Udo", "P1", "Weiß", "Ida", "i9@c.example"],
    ["Çelik", "İlkay", "P1", "Çelik", "Işıl", "ik9@c.example"],
    ["Petit", "Lou", "P1", "Petit", "Max", "m9@c.example"],
    ["de la Cruz", "Eva", "P1", "de la Cruz", "Sol", "s9@c.example"],
]
OTHERWISE = [
    ["D'Hoekelaere", "Maelys", "P1", "D'Hoekelaere", "Zoe", "z9@c.example"],
    ["Sorensen", "Ida", "P1", "Sorensen", "Bo", "b9@c.example"],
    ["Lukasik", "Ola", "P1", "Lukasik", "Ewa", "e9@c.example"],
    ["Weiss", "Udo", "P1", "Weiss", "Ida", "i9@c.example"],
    ["CELIK", "ILKAY", "P1", "CELIK", "ISIL", "ik9@c.example"],
    ["Petit\u200e", "Lou", "P1\u200b", "Petit", "Max\u200b", "m9@c.example"],
    ["de\u00a0la Cruz", "Eva", "P1", "De La\u202fCruz", "Sol", "s9@c.example"],
]


def test_another_spelling_makes_nobody_somebody_else(imported: Import, tmp_path: Path) -> None:
    first, second = tmp_path / "1.csv", tmp_path / "2.csv"
    first.write_text(table([HEADER, *WRITTEN], ";"), encoding="utf-8")
    second.write_text(table([HEADER, *OTHERWISE], ";"), encoding="utf-8")
    imported(first)
    before = {child.id: child.subject_id for child in db.session.scalars(select(Child))}

    report = imported(second)

    db.session.expire_all()
    assert set(report["counts"]) <= {"child_changed", "account_changed"}
    assert {child.id: child.subject_id for child in db.session.scalars(select(Child))} == before
    assert db.session.scalar(
        select(Account.family_name).where(Account.email == "b9@c.example")
    ) == (
        "Sorensen"  # as the school writes it
    )


@pytest.mark.parametrize(
    ("one", "other"), [("李", "黎"), ("Anna", "Anne"), ("कमल", "कमला"), ("Müller", "Miller")]
)
def test_names_that_differ_stay_two(one: str, other: str) -> None:
    assert comparable(one) != comparable(other)


def test_what_nobody_sees_is_cleaned_wherever_a_name_is_stored(run: Run, json_of: JsonOf) -> None:
    school = json_of("school", "create", "\ufeffÉcole\u200b du\u00a0Moulin\u200e")
    assert school["name"] == "École du Moulin"
    assert clean_text("name", "Lou\u00adise\u2060\u200c") == "Louise"
    assert clean_text("name", "نام\u200cخانوادگی") == "نام\u200cخانوادگی"  # it shapes the letters
    refused(run("school", "create", "\u202eelocÉ"))
