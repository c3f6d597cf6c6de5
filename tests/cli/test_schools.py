"""``idp school edit``, ``logo`` and ``text``: the desk's own services, at a terminal."""

from pathlib import Path

import pytest
from flask import Flask

from idp.people import school_texts
from idp.people import schools as kept
from idp.people.models import School
from tests import factories
from tests.admin.pictures import picture
from tests.admin.test_schools import changes_of, now
from tests.cli.conftest import Run, refused
from tests.cli.test_nouns import JsonOf

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


@pytest.fixture
def school(app: Flask) -> School:
    return factories.school()


def test_what_is_named_is_changed_and_the_rest_stays(json_of: JsonOf, school: School) -> None:
    made = json_of(
        *("school", "edit", school.id, "--colour", "#A02030", "--locale", "nl"),
        *("--language", "fr", "--hide-provider", "facebook", "--contact-phone", "02"),
    )

    assert (made["colour"], made["languages"]) == ("#a02030", "nl fr")
    assert (made["hidden_providers"], made["contact_name"]) == ("facebook", "Mme Peeters")
    assert set(changes_of(school)[0]["changes"]) == {
        "colour",
        "hidden_providers",
        "languages",
        "locale",
    }
    shown = json_of("school", "edit", school.id, "--hide-provider", "")
    assert shown["hidden_providers"] == ""


@pytest.mark.parametrize(("said", "stored"), [("30", 30), ("0", 0), ("default", None)])
def test_how_long_families_stay_signed_in_is_said_in_days(
    json_of: JsonOf, school: School, said: str, stored: int | None
) -> None:
    shown = json_of(
        "school", "edit", school.id, "--name", "Tilleuls", "--stay-signed-in-days", said
    )
    assert shown["stay_signed_in_days"] == stored


def test_a_logo_is_made_anew_and_taken_away(run: Run, school: School, tmp_path: Path) -> None:
    file = tmp_path / "logo.jpg"
    file.write_bytes(picture("JPEG"))

    assert run("school", "logo", school.id, str(file)).exit_code == 0
    assert now(school).logo_digest is not None
    assert run("school", "logo", school.id, "--remove").exit_code == 0
    assert now(school).logo_digest is None


def test_words_are_kept_and_shown(run: Run, json_of: JsonOf, school: School) -> None:
    letter = ("school", "text", school.id, "invitation", "fr")
    run(*letter, "--opening", "-", stdin="Chers parents,\nbonjour\n")

    assert json_of(*letter, "--closing", "La direction") == {
        "opening": "Chers parents,\nbonjour",
        "closing": "La direction",
    }
    assert school_texts.words_of(school.id, "invitation", "fr").any


def test_what_can_not_be_is_refused_in_one_line(run: Run, school: School, tmp_path: Path) -> None:
    drawing = tmp_path / "logo.svg"
    drawing.write_text("<svg/>")
    for arguments in (
        ("edit", school.id),
        ("edit", "s_nobody", "--name", "X"),
        ("edit", school.id, "--colour", "red"),
        ("edit", school.id, "--hide-provider", "A B"),
        ("edit", school.id, "--stay-signed-in-days", "366"),
        ("edit", school.id, "--stay-signed-in-days", "ever"),
        ("logo", school.id),
        ("logo", school.id, str(drawing)),
        ("logo", school.id, str(drawing), "--remove"),
        ("text", school.id, "invitation", "fr", "--opening", "x" * 601),
        ("text", "s_nobody", "invitation", "fr"),
    ):
        refused(run("school", *arguments))
    assert now(school).version == 0
    assert kept.offered_languages(now(school)) == ("fr", "nl", "de", "en")


def test_a_school_may_be_said_by_its_name(run: Run, json_of: JsonOf) -> None:
    made = json_of("school", "create", "Collège des Tilleuls")
    child = ("child", "create", "--given-name", "Lina", "--family-name", "Dubois")
    assert json_of(*child, "--school", "college des tilleuls")["school_id"] == made["id"]
    assert json_of("school", "show", "Collège des Tilleuls")["id"] == made["id"]
    assert "there is no school Moulin" in refused(run("school", "show", "Moulin"))
    json_of("school", "create", "COLLÈGE DES TILLEULS")
    assert made["id"] in refused(run("school", "show", "Collège des Tilleuls"))


def test_a_child_is_corrected_leaves_and_comes_back(run: Run, json_of: JsonOf) -> None:
    json_of("school", "create", "Moulin")
    names = ("--given-name", "Lina", "--family-name", "Dubois", "--class", "3B")
    child = json_of("child", "create", "--school", "Moulin", *names)["id"]
    assert json_of("child", "edit", child, "--class", "4B")["class"] == "4B"
    run("child", "left", child)
    assert json_of("child", "show", child)["left_at"] is not None
    run("child", "back", child)
    assert json_of("child", "show", child)["left_at"] is None
