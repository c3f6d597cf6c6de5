"""A file that gives a guardian another guardian's address is asked about: who reads an address may
set the account's password (rules A2 and N2)."""

from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from sqlalchemy import select

from idp.database import db
from idp.people.models import Account, Child, Guardianship, School
from tests.cli.conftest import Run
from tests.roster.conftest import Import, JsonOf
from tests.roster.files import OneRoster, table, workbook

pytestmark = pytest.mark.long_on("postgresql")

HEADER = [
    *("Nom", "Prénom", "Classe", "Nom responsable 1", "Prénom responsable 1", "E-mail 1"),
    *("Nom responsable 2", "Prénom responsable 2", "E-mail 2"),
]
FAMILIES = ("Adam", "Baert", "Claes", "Dufour", "Evrard", "Fontaine", "Goossens", "Henry")
MAILS = [f"{each.lower()}@x.example" for each in FAMILIES]
SLIPPED = [*MAILS[1:], MAILS[0]]
EXCHANGED = [MAILS[1], MAILS[0], *MAILS[2:]]

Rows = list[list[str]]
Written = Callable[[Path, list[str]], Path]


def rows_of(mails: list[str]) -> Rows:
    return [
        [family, f"Kid{family}", "2A", family, f"Par{family}", mail, "", "", ""]
        for family, mail in zip(FAMILIES, mails, strict=False)
    ]


def written(path: Path, rows: Rows) -> Path:
    path.write_text(table([HEADER, *rows], ";"))
    return path


def as_list(path: Path, mails: list[str]) -> Path:
    return written(path.with_suffix(".csv"), rows_of(mails))


def as_workbook(path: Path, mails: list[str]) -> Path:
    return workbook(path.with_suffix(".xlsx"), [HEADER, *rows_of(mails)])


def as_oneroster(path: Path, mails: list[str]) -> Path:
    made = OneRoster()
    made.school()
    for place, (family, mail) in enumerate(zip(FAMILIES, mails, strict=False)):
        made.pupil(f"p{place}", f"Kid{family}", family, f"g{place}", class_name="2A")
        made.guardian(f"g{place}", f"Par{family}", family, mail)
    return made.zip(path.with_suffix(".zip"))


def addresses() -> dict[str, str | None]:
    db.session.expire_all()
    return {each.given_name: each.email for each in db.session.scalars(select(Account))}


def links() -> set[tuple[str, str]]:
    """Given names of guardians and pupils who are linked."""
    db.session.expire_all()
    rows = db.session.execute(
        select(Account.given_name, Child.given_name)
        .join(Guardianship, Guardianship.account_id == Account.id)
        .join(Child, Child.id == Guardianship.child_id)
        .where(Guardianship.ended_at.is_(None), Child.left_at.is_(None))
    )
    return {(row[0], row[1]) for row in rows}


def home(path: Path, *guardians: tuple[str, str], more: Sequence[list[str]] = ()) -> Path:
    """A family with another pupil's beside it; ``guardians``: given name and address."""
    parents = [cell for name, mail in guardians for cell in ("Dubois", name, mail)]
    return written(path, [["Dubois", "Lina", "1A", *parents], *rows_of(MAILS), *more])


@pytest.mark.parametrize("write", [as_list, as_workbook, as_oneroster])
@pytest.mark.parametrize("mails", [SLIPPED, EXCHANGED])
def test_n2_addresses_that_slipped_or_were_exchanged_are_one_question_and_change_nothing(
    imported: Import, checked: Import, tmp_path: Path, write: Written, mails: list[str]
) -> None:
    imported(write(tmp_path / "1", MAILS))
    before, linked = addresses(), links()
    path = write(tmp_path / "2", mails)

    report = checked(path)

    (question,) = report["questions"]
    moved = [(old, new) for old, new in zip(MAILS, mails, strict=True) if old != new]
    assert (question["kind"], question["count"], report["asked"]) == ("address", len(moved), 1)
    shown = [(each["old"]["place"], each["new"]["place"]) for each in question["people"]]
    assert shown == moved
    assert {each["other"]["place"] for each in question["people"]} == {new for _, new in moved}
    for _ in range(2):  # nor the next night, while nobody has answered
        assert imported(path)["counts"] == {}
        assert (addresses(), links()) == (before, linked)
        path = write(tmp_path / "3", mails)


@pytest.mark.parametrize("write", [as_list, as_oneroster])
def test_n2_somebody_says_that_the_addresses_are_right_and_takes_it_back(
    imported: Import, checked: Import, json_of: JsonOf, tmp_path: Path, write: Written
) -> None:
    imported(write(tmp_path / "1", MAILS))
    before = addresses()
    path = write(tmp_path / "2", EXCHANGED)
    key = checked(path)["questions"][0]["key"]

    done = imported(path, "--decide", f"{key}=same")

    assert (done["counts"], done["asked"]) == ({"account_changed": 2}, 0)
    assert (addresses()["ParAdam"], addresses()["ParBaert"]) == (MAILS[1], MAILS[0])
    assert imported(write(tmp_path / "3", EXCHANGED))["counts"] == {}
    (undone,) = json_of("roster", "undo", done["run"])
    assert undone["left"] == {}
    assert addresses() == before


@pytest.mark.parametrize("write", [as_list, as_oneroster])
def test_n2_somebody_says_that_the_addresses_are_wrong_and_the_rest_is_taken_over(
    imported: Import, checked: Import, tmp_path: Path, write: Written
) -> None:
    imported(write(tmp_path / "1", MAILS))
    before, linked = addresses(), links()
    path = write(tmp_path / "2", EXCHANGED)
    key = checked(path)["questions"][0]["key"]

    done = imported(path, "--decide", f"{key}=another")

    assert (done["counts"], done["asked"]) == ({}, 0)
    assert (addresses(), links()) == (before, linked)
    assert checked(write(tmp_path / "3", EXCHANGED))["asked"] == 1  # as long as the list says so
    assert checked(write(tmp_path / "4", MAILS))["asked"] == 0


def test_n2_an_answer_is_about_those_who_were_seen_together(
    imported: Import, checked: Import, tmp_path: Path
) -> None:
    imported(as_list(tmp_path / "1", MAILS))
    before = addresses()
    key = checked(as_list(tmp_path / "2", EXCHANGED))["questions"][0]["key"]

    report = imported(as_list(tmp_path / "3", SLIPPED), "--decide", f"{key}=same")

    assert (report["counts"], report["asked"]) == ({}, 1)
    assert addresses() == before


def test_n2_who_gives_an_address_up_waits_with_whoever_takes_it(
    imported: Import, checked: Import, tmp_path: Path
) -> None:
    """Else the address would be nobody's by the next night, and the next file take it over."""
    imported(as_list(tmp_path / "1", MAILS))
    before = addresses()
    for night in range(2, 5):
        path = as_list(tmp_path / f"{night}", ["new@x.example", *MAILS[:-1]])
        assert checked(path)["questions"][0]["count"] == len(MAILS)
        assert imported(path)["counts"] == {}
    assert addresses() == before


def test_n2_who_leaves_with_an_address_that_another_gets_stays_until_it_is_answered(
    imported: Import, checked: Import, tmp_path: Path
) -> None:
    imported(as_list(tmp_path / "1", MAILS))
    before, linked = addresses(), links()
    rows = rows_of(MAILS)
    rows[2][5] = MAILS[1]
    del rows[1]  # the names of a row deleted, and the address of the next one with them
    for night in range(2, 4):
        path = written(tmp_path / f"{night}.csv", rows)
        assert imported(path, "--confirm-large-change")["counts"] == {}
    assert (addresses(), links()) == (before, linked)

    key = checked(path)["questions"][0]["key"]
    imported(path, "--confirm-large-change", "--decide", f"{key}=another")

    assert addresses() == before
    assert links() == linked - {("ParBaert", "KidBaert")}


def test_n2_somebody_new_with_the_address_that_another_gives_up_is_asked_about(
    imported: Import, checked: Import, tmp_path: Path
) -> None:
    imported(as_list(tmp_path / "1", MAILS))
    before = addresses()
    rows = rows_of(["new@x.example", *MAILS[1:]])
    newcomer = ["Zaman", "Noor", "2A", "Zaman", "Sam", MAILS[0], "", "", ""]
    path = written(tmp_path / "2.csv", [*rows, newcomer])

    (question,) = checked(path)["questions"]
    told = {each["new"]["name"]: each["old"] for each in question["people"]}
    assert list(told) == ["ParAdam Adam", "Sam Zaman"]
    assert told["Sam Zaman"] is None
    assert imported(path)["counts"] == {"child_made": 1}
    assert addresses() == before

    key = checked(path)["questions"][0]["key"]
    report = imported(path, "--decide", f"{key}=another")
    assert report["counts"] == {"account_made": 1, "guardianship_made": 1}
    assert addresses() == {**before, "Sam": None}


def test_n2_separated_parents_do_not_get_each_others_addresses(
    imported: Import, checked: Import, tmp_path: Path
) -> None:
    imported(home(tmp_path / "1.csv", ("Anne", "anne@d.example"), ("Karl", "karl@d.example")))
    before = addresses()
    path = home(tmp_path / "2.csv", ("Anne", "karl@d.example"), ("Karl", "anne@d.example"))
    assert checked(path)["questions"][0]["count"] == 2
    assert imported(path)["counts"] == {}
    # the one keeps the common address, the other gets an own one: nobody takes anything
    path = home(tmp_path / "3.csv", ("Anne", "anne@d.example"), ("Karl", "new@d.example"))
    assert imported(path)["counts"] == {"account_changed": 1}
    # and takes it over from the other: that is for a person to say
    path = home(tmp_path / "4.csv", ("Anne", "own@d.example"), ("Karl", "anne@d.example"))
    assert checked(path)["questions"][0]["count"] == 2
    assert imported(path)["counts"] == {}
    assert addresses() == {**before, "Karl": "new@d.example"}


def test_parents_of_one_child_may_share_an_address(imported: Import, tmp_path: Path) -> None:
    imported(home(tmp_path / "1.csv", ("Anne", "anne@d.example"), ("Karl", "karl@d.example")))
    path = home(tmp_path / "2.csv", ("Anne", "anne@d.example"), ("Karl", "anne@d.example"))

    report = imported(path)

    assert (report["counts"], report["asked"]) == ({"account_changed": 1}, 0)
    path = home(tmp_path / "3.csv", ("Anne", "anne@d.example"), ("Eva", "anne@d.example"))
    report = imported(path)
    assert (report["counts"]["account_made"], report["asked"]) == (1, 0)
    path = home(tmp_path / "4.csv", ("Anne", "both@d.example"), ("Eva", "both@d.example"))
    assert imported(path)["counts"] == {"account_changed": 2}


def test_n2_an_address_is_not_shared_with_who_has_another_child_besides(
    imported: Import, checked: Import, tmp_path: Path
) -> None:
    """Who reads it would come to a child that is not with them."""
    other = [["Maes", "Tom", "1A", "Dubois", "Karl", "karl@d.example", "", "", ""]]
    both = [("Anne", "anne@d.example"), ("Karl", "karl@d.example")]
    imported(home(tmp_path / "1.csv", *both, more=other))
    before = addresses()
    other[0][5] = "anne@d.example"
    shared = [("Anne", "anne@d.example"), ("Karl", "anne@d.example")]
    path = home(tmp_path / "2.csv", *shared, more=other)

    assert checked(path)["asked"] == 1
    assert imported(path)["counts"] == {}
    assert addresses() == before


def test_n2_changes_only_are_asked_about_too(
    imported: Import, checked: Import, tmp_path: Path
) -> None:
    imported(as_oneroster(tmp_path / "1", MAILS))
    before, linked = addresses(), links()
    delta = OneRoster(delta=True)
    delta.guardian("g1", "ParBaert", "Baert", MAILS[0])
    assert checked(delta.zip(tmp_path / "2.zip"))["asked"] == 1
    delta.gone("g0", "parent")
    path = delta.zip(tmp_path / "3.zip")
    assert checked(path)["asked"] == 1
    assert imported(path)["counts"] == {}
    assert (addresses(), links()) == (before, linked)


def test_one_other_address_that_nobody_had_goes_through(imported: Import, tmp_path: Path) -> None:
    imported(as_list(tmp_path / "1", MAILS))
    report = imported(as_list(tmp_path / "2", ["new@x.example", *MAILS[1:]]))
    assert (report["counts"], report["asked"]) == ({"account_changed": 1}, 0)
    assert addresses()["ParAdam"] == "new@x.example"


def test_n2_many_addresses_that_nobody_had_want_a_second_word(
    imported: Import, checked: Import, run: Run, school: School, tmp_path: Path
) -> None:
    imported(as_list(tmp_path / "1", MAILS))
    before = addresses()
    fresh = [f"new.{each}" for each in MAILS[:4]] + MAILS[4:]
    path = as_list(tmp_path / "2", fresh)

    report = checked(path)

    assert (report["other_addresses"], report["share_readdressed"]) == (4, 0.5)
    assert report["findings"]["many_addresses"]["samples"] == ["50%"]
    assert "large_change" not in report["findings"]
    refused = run("roster", "import", str(path), "--school", school.id)
    assert refused.exit_code == 2
    assert "would end, or get another address" in refused.output
    assert addresses() == before
    done = imported(path, "--confirm-large-change")
    assert done["counts"] == {"account_changed": 4}


def test_the_command_line_says_whose_address_it_is(
    imported: Import, run: Run, school: School, tmp_path: Path
) -> None:
    imported(as_list(tmp_path / "1", MAILS))
    path = as_list(tmp_path / "2", EXCHANGED)
    told = run("roster", "check", str(path), "--school", school.id).output
    assert "[open] addresses that are another guardian's at the school: is the file right?" in told
    assert "ParAdam Adam (adam@x.example, KidAdam Adam) → ParAdam Adam (baert@x.example" in told
    assert "has the address: ParBaert Baert (baert@x.example, KidBaert Baert)" in told
