"""What was read before a newer file was imported is no news any more; who has no pupil is told."""

from pathlib import Path

import pytest

from idp.people.models import School
from tests.cli.conftest import Run, refused
from tests.roster.conftest import Import, JsonOf
from tests.roster.files import OneRoster
from tests.roster.test_oneroster import guardians_of, whole

pytestmark = pytest.mark.long_on("postgresql")


@pytest.fixture
def older(checked: Import, tmp_path: Path) -> str:
    """A checked run that waits."""
    run_id: str = checked(whole().zip(tmp_path / "old.zip"))["run"]
    return run_id


def newer() -> OneRoster:
    made = whole()
    made.users[0]["agentSourcedIds"] = "g2"  # Lina is not Claire's any more
    return made


def test_an_older_run_does_not_bring_back_what_a_newer_file_ended(
    older: str, imported: Import, run: Run, json_of: JsonOf, tmp_path: Path
) -> None:
    after = imported(newer().zip(tmp_path / "new.zip"))["run"]

    sentence = refused(run("roster", "import", "--run", older))

    assert "older than what was imported at Collège des Tilleuls" in sentence
    assert after in sentence
    assert guardians_of("p1").keys() == {"marc.dubois"}
    assert json_of("roster", "show", older)["status"] == "checked"


def test_the_older_file_read_again_is_a_new_wish(
    older: str, imported: Import, tmp_path: Path
) -> None:
    imported(newer().zip(tmp_path / "new.zip"))
    again = imported(tmp_path / "old.zip")
    assert again["run"] != older
    assert guardians_of("p1").keys() == {"claire.dubois", "marc.dubois"}


def test_after_the_newer_ones_undo_the_older_run_may_go_on(
    older: str, imported: Import, json_of: JsonOf, tmp_path: Path
) -> None:
    after = imported(newer().zip(tmp_path / "new.zip"))["run"]
    json_of("roster", "undo", after)
    assert json_of("roster", "import", "--run", older)["status"] == "applied"


def test_a_guardian_of_no_pupil_gets_no_account_and_is_told(
    checked: Import, imported: Import, tmp_path: Path
) -> None:
    made = whole()
    made.guardian("g9", "Inge", "Claes", "inge@claes.example")
    made.guardian("g8", "Rita", "Maes", agents=["p-unknown"])
    path = made.zip(tmp_path / "1.zip")

    finding = checked(path)["findings"]["guardians_without_pupil"]

    assert finding["count"] == 2
    assert finding["samples"] == ["Inge Claes", "Rita Maes"]
    assert imported(path)["counts"]["account_made"] == 3


def test_c3_guardians_of_other_schools_pupils_are_not_told(
    checked: Import, school: School, tmp_path: Path
) -> None:
    made = whole()
    made.school("org-2", "École du Moulin")
    made.pupil("p9", "Hugo", "Moreau", "g9", org="org-2")
    made.guardian("g9", "Anne", "Moreau", org="org-2")
    path = made.zip(tmp_path / "1.zip")
    assert "guardians_without_pupil" not in checked(path)["findings"]


def test_a_delta_need_not_repeat_whose_guardian_somebody_is(
    checked: Import, imported: Import, tmp_path: Path
) -> None:
    imported(whole().zip(tmp_path / "1.zip"))
    made = OneRoster(delta=True)
    made.school()
    made.guardian("g1", "Clara", "Dubois", "claire@dubois.example")
    report = checked(made.zip(tmp_path / "2.zip"))
    assert report["counts"] == {"account_changed": 1}
    assert "guardians_without_pupil" not in report["findings"]
