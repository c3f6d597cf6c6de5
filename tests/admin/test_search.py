"""The one search box: whom it finds, for whom, whatever is typed."""

from typing import Any

import pytest
from flask import Flask
from sqlalchemy import event
from sqlalchemy import text as sql

from idp.database import db, transaction
from idp.desk.access.rights import AT_TERMINAL, Right, SchoolScope, Staff
from idp.desk.search import search
from idp.lifecycle import endings
from idp.people import children
from idp.people.models import Account, School
from idp.people.normalise import sound, words
from tests import factories
from tests.admin.places import Desk

pytestmark = pytest.mark.quick_on("postgresql")

on_postgresql = pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
sqlite_alone = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


@pytest.fixture
def school(app: Flask) -> School:
    return factories.school()


@pytest.fixture
def crowd(school: School) -> dict[str, Any]:
    """Metrics of one school."""
    claire, (lina, noah) = factories.family(
        school, "Lina", "Noah", username="claire.dubois", email="c.dubois75@families.example"
    )
    elodie = factories.account("elodie.h", given_name="Élodie", family_name="D'Hondt")
    zoe = factories.child(school, "Zoé", family_name="Van den Berg", class_name="5C")
    factories.guardianship(elodie, zoe)
    youssef = factories.account("youssef.b", given_name="Youssef", family_name="Benali")
    yusuf = factories.account("yusuf.k", given_name="يوسف", family_name="الخطيب")
    amina = factories.child(school, "Amina", family_name="Benali", class_name="6A")
    for each in (youssef, yusuf):
        factories.guardianship(each, amina)
    sofia = factories.child(school, "Софія", family_name="Шевченко", sourced_id="P-00417")
    return locals()


def at(school: School) -> Staff:
    return Staff("", {Right.LOOK_UP: SchoolScope(school_ids=frozenset({school.id}))})


def names(text: str, staff: Staff = AT_TERMINAL) -> list[str]:
    return [person.name for person in search.find(staff, text).people]


MEANT = (
    ("claire dubois", "Claire Dubois"),
    ("DUBOIS Claire", "Claire Dubois"),
    ("claire.dubois", "Claire Dubois"),
    ("c.dubois75@families.example", "Claire Dubois"),
    ("dubois75@fam", "Claire Dubois"),
    ("bois75", "Claire Dubois"),
    ("elodie", "Élodie D'Hondt"),
    ("Élodie", "Élodie D'Hondt"),
    ("dhondt", "Élodie D'Hondt"),
    ("d’hondt", "Élodie D'Hondt"),
    ("hont elodie", "Élodie D'Hondt"),
    ("vandenberg", "Zoé Van den Berg"),
    ("van den berg zoe", "Zoé Van den Berg"),
    ("5c", "Zoé Van den Berg"),
    ("zoé 5C", "Zoé Van den Berg"),
    ("3B dubois", "Lina Dubois"),
    ("dubios lina", "Lina Dubois"),
    ("Linna", "Lina Dubois"),
    ("يوسف", "يوسف الخطيب"),
    ("Софія", "Софія Шевченко"),
    ("sofia", "Софія Шевченко"),
    ("P-00417", "Софія Шевченко"),
    ("00417", "Софія Шевченко"),
    ("youssef benali", "Youssef Benali"),
    ("yousef benaly", "Youssef Benali"),
)
SLIPS = ("dubios", "duboi", "dubous", "bubois", "dubos", "du bois")


def test_whatever_is_typed_finds_whom_it_means(crowd: dict[str, Any]) -> None:
    for staff in (AT_TERMINAL, at(crowd["school"])):
        found = {typed: names(typed, staff)[:1] for typed, _ in MEANT}
        assert found == {typed: [first] for typed, first in MEANT}


def test_a_slip_finds_the_whole_family(crowd: dict[str, Any]) -> None:
    family = {"Claire Dubois", "Lina Dubois", "Noah Dubois"}
    assert {typed: set(names(typed)) for typed in SLIPS} == dict.fromkeys(SLIPS, family)


def test_either_script_finds_the_other(app: Flask, school: School) -> None:
    latin = factories.account(given_name="Youssef", family_name="Benali")
    arabic = factories.account(given_name="يوسف", family_name="بن علي")

    for typed, exact, other in (("youssef", latin, arabic), ("يوسف", arabic, latin)):
        assert names(typed)[0] == exact.full_name
        assert sound(words(typed)[0]) == sound(words(other.given_name)[0])
    endings.disable_account(latin.id)  # still found: a parent of whom we know
    assert "Youssef Benali" in names("youssef")


@sqlite_alone
def test_an_arabic_name_is_found_by_its_latin_spelling(app: Flask, school: School) -> None:
    factories.account(given_name="يوسف", family_name="الخطيب")
    assert names("Youssef") == ["يوسف الخطيب"]


def test_who_is_called_so_comes_before_whose_child_is(app: Flask, school: School) -> None:
    other = factories.account("anne", given_name="Anne", family_name="Aerts")
    factories.guardianship(other, factories.child(school, "Mia", family_name="Zimmer"))
    factories.account("zimmer", given_name="Zoltan", family_name="Zimmer")

    assert names("zimmer") == ["Mia Zimmer", "Zoltan Zimmer", "Anne Aerts"]


def test_what_sounds_alike_but_is_far_is_not_found(crowd: dict[str, Any]) -> None:
    assert names("xyzzy") == []
    assert names("dubois xyzzy") == []
    assert names("peeters") == []


def test_a2_a_manager_finds_their_school_alone(crowd: dict[str, Any]) -> None:
    elsewhere = factories.school("Athénée du Parc")

    assert names("dubois", at(elsewhere)) == names("dubios", at(elsewhere)) == []
    assert names("lina", Staff("", {})) == []


def test_c3_a_child_elsewhere_neither_finds_a_guardian_nor_is_shown(
    crowd: dict[str, Any],
) -> None:
    elsewhere = factories.school("Athénée du Parc")
    claire: Account = crowd["claire"]
    hidden = factories.child(elsewhere, "Ophélie", family_name="Quintin", class_name="1Z")
    factories.guardianship(claire, hidden)

    for typed in ("ophelie", "ofelie", "quintin", "1z", "dubois 1z", "claire quintin"):
        assert names(typed, at(crowd["school"])) == []
    here = search.find(at(crowd["school"]), "claire").people[0]
    there = search.find(at(elsewhere), "claire").people[0]
    both = search.find(AT_TERMINAL, "claire").people
    assert [each.name for each in here.pupils] == ["Lina Dubois", "Noah Dubois"]
    assert [each.name for each in there.pupils] == ["Ophélie Quintin"]
    assert (len(both), len(both[0].pupils), len(both[0].schools)) == (1, 3, 2)


def test_c3_who_was_guardian_is_found_by_name_but_not_by_what_is_new(
    crowd: dict[str, Any],
) -> None:
    from idp.lifecycle import email_change

    claire: Account = crowd["claire"]
    for child in (crowd["lina"], crowd["noah"]):
        endings.end_guardianship(claire.id, child.id, "moved")
    factories.guardianship(claire, factories.child(factories.school("Athénée"), "Ophélie"))
    email_change.by_staff(claire.id, "nouvelle@adresse.example")

    here = at(crowd["school"])
    assert names("claire", here) == ["Claire Dubois"]
    assert names("nouvelle@adresse.example", here) == []
    assert names("nouvelle@adresse.example") == ["Claire Dubois"]
    found = search.find(here, "claire").people[0]
    assert found.pupils == ()
    assert found.username == ""


def test_somebody_without_a_child_is_found_by_operators_alone(app: Flask, school: School) -> None:
    factories.account("lonely", given_name="Paul", family_name="Lonely")
    assert names("lonely") == ["Paul Lonely"]
    assert names("lonely", at(school)) == []


HOSTILE = (
    *('"', "'", "%", "_", "\\", "*", "^", "-", "(", ")", "|", "~", "\0", "\n", "\ud800", ":m"),
    "dubois\0lina",
    'text:dubois OR NEAR("a" "b")',
    '"dubois" AND NOT "claire"',
    "'; DROP TABLE accounts; --",
    "%' OR '1'='1",
    "a " * 5_000,
    "x" * 10_000,
    "é" * 10_000,
    "~dbs",
    "| dubois",
    ":match :kind",
    "🙂 😀",
    "ﷺ" * 100,
    "\u202edubois",
    "a b c d e f g h i j k",
)


def test_a7_any_text_gets_an_answer(crowd: dict[str, Any]) -> None:
    everybody = 8
    for hostile in HOSTILE:
        for staff in (AT_TERMINAL, at(crowd["school"])):
            assert search.find(staff, hostile).total <= everybody, hostile


def test_a7_a_page_that_is_not_there_is_the_nearest(crowd: dict[str, Any]) -> None:
    for page in (-1, 0, 1, 10**9):
        assert search.find(AT_TERMINAL, "dubois", page=page).page == 1


def test_a_list_goes_on_over_pages_without_a_gap(app: Flask, school: School) -> None:
    wanted = {f"Kid{n} Peeters" for n in range(60)}
    for n in range(60):
        children.create_child(school.id, f"Kid{n}", "Peeters")

    pages = [search.find(AT_TERMINAL, "peeters", page=page) for page in (1, 2, 3)]

    assert [len(page.people) for page in pages] == [25, 25, 10]
    assert {person.name for page in pages for person in page.people} == wanted
    assert (pages[0].total, pages[0].pages, pages[0].cut) == (60, 3, False)


def test_more_than_can_be_shown_is_said(
    app: Flask, school: School, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(search, "MOST", 5)
    for n in range(7):
        children.create_child(school.id, f"Kid{n}", "Peeters")
    found = search.find(AT_TERMINAL, "peeters")
    assert (found.total, found.cut) == (5, True)


@on_postgresql
def test_who_is_meant_is_found_behind_many_who_begin_alike(
    app: Flask, school: School, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(search, "CANDIDATES", 8)
    for n in range(30):
        children.create_child(school.id, f"Kid{n}", "Dubrovnik")
    children.create_child(school.id, "Lina", "Dubois")
    assert names("dubios") == ["Lina Dubois"]


@on_postgresql
def test_a_common_name_finds_the_same_people_at_each_page(
    app: Flask, school: School, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(search, "MOST", 5)
    kids = [children.create_child(school.id, f"Kid{n}", "Peeters") for n in range(7)]
    before = names("peeters")

    for kid in kids[:2]:  # their lines are now the last ones of the table
        children.change_child(kid, kid.given_name, kid.family_name, "6Z")

    assert names("peeters") == before


@on_postgresql
def test_a_full_name_reads_no_more_of_the_index_than_its_letters_need(app: Flask) -> None:
    """Half of all lines have a word that begins with « d », and one with « l »."""
    with transaction() as writes:
        writes.execute(
            sql("""
            INSERT INTO directory_entries (kind, place, text)
            SELECT 'pupil', '', CASE WHEN n % 100 = 0 THEN ' dubois lina '
                ELSE ' d' || md5(n::text) || ' l' || md5(n::text || '.') || ' ' END
            FROM generate_series(1, 20000) n""")
        )
        writes.execute(sql("SELECT gin_clean_pending_list('ix_directory_entries_text')"))
        writes.execute(sql("ANALYZE directory_entries"))
    asked = "SELECT * FROM directory_entries WHERE text LIKE %(a)s AND text LIKE %(b)s"
    statement, values = asked_of_the_directory("lina dubois")[0]
    assert index_pages(statement, values) <= index_pages(asked, {"a": "%lina%", "b": "%dubois%"})


def asked_of_the_directory(typed: str) -> list[tuple[str, Any]]:
    """The statements of a search, with their values."""
    seen: list[tuple[str, Any]] = []

    def note(_connection: Any, _cursor: Any, statement: str, values: Any, *_rest: Any) -> None:
        if "FROM directory_entries" in statement:
            seen.append((statement, values))

    event.listen(db.engine, "before_cursor_execute", note)
    try:
        search.find(AT_TERMINAL, typed)
    finally:
        event.remove(db.engine, "before_cursor_execute", note)
    return seen


def index_pages(statement: str, values: Any) -> int:
    """How many pages of an index PostgreSQL looks at for this statement."""
    explained = "EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) " + statement
    with db.engine.connect() as connection:
        node = connection.exec_driver_sql(explained, values).scalar_one()[0]["Plan"]
    while node["Node Type"] != "Bitmap Index Scan":
        (node,) = node["Plans"]
    return int(node["Shared Hit Blocks"]) + int(node["Shared Read Blocks"])


def test_as_many_statements_for_one_as_for_many(app: Flask, school: School) -> None:
    for n in range(20):
        factories.family(school, f"Kid{n}", f"Sib{n}", username=f"many{n}", password="x" * 14)
    ulla = factories.account("ulla", given_name="Ulla", family_name="Einzel")
    factories.guardianship(ulla, factories.child(school, "Solo", family_name="Einzel"))

    one = statements_of("einzel")
    many = statements_of("dubois")

    assert one == many <= 10


def statements_of(text: str) -> int:
    """How many statements a search takes that finds guardians and pupils."""
    seen: list[str] = []

    def note(_connection: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
        if statement.startswith(("SELECT", "WITH")):
            seen.append(statement)

    db.session.rollback()
    event.listen(db.engine, "before_cursor_execute", note)
    try:
        assert search.find(AT_TERMINAL, text).people
    finally:
        event.remove(db.engine, "before_cursor_execute", note)
    return len(seen)


def test_words_and_their_sounds() -> None:
    assert words("  Éloïse  D’Hondt-Øster, 3B ") == ["eloise", "d", "hondt", "oster", "3b"]
    assert words("\0") == []
    same = (("dubios", "dubois"), ("youssef", "ywsf"), ("mueller", "muller"), ("philippe", "filip"))
    for one, other in same:
        assert sound(one) == sound(other) != ""
    assert sound("3b") == sound("li") == sound("aa") == ""


@sqlite_alone
def test_the_command_line_finds_the_same(desk: Desk) -> None:
    import json

    from click.testing import CliRunner
    from flask.cli import ScriptInfo

    from idp.cli.program import cli

    account, (child,) = factories.family(desk.here, "Lina", username="claire")
    info = ScriptInfo(create_app=lambda: desk.app, set_debug_flag=False)
    done = CliRunner().invoke(cli, ["user", "search", "dubios", "--json"], obj=info)

    rows = json.loads(done.stdout)
    assert [(row["kind"], row["id"]) for row in rows] == [
        ("guardian", account.id),
        ("pupil", child.id),
    ]
    assert rows[0]["pupils"] == ["Lina Dubois (3B)"]
    assert rows[1]["class"] == "3B"
    table = CliRunner().invoke(cli, ["user", "search", "dubios"], obj=info)
    assert "Lina Dubois (3B)" in table.stdout
