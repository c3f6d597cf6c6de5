"""The audit log: every act, by whom, before and after; each school its own."""

import ast
import re
from html import unescape

import pytest

from idp.audit import changes
from idp.audit.vocabulary import VOCABULARY
from idp.desk import audit_log
from idp.desk.access import rights as desk_staff
from idp.desk.access.rights import Staff
from idp.web.admin import people_words
from idp.web.admin.audit_log_words import WORDS
from tests import factories, source
from tests.admin.places import Desk

on_sqlite = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


def member(desk: Desk, who: str) -> Staff:
    found = desk_staff.staff_of(desk.staff(who).id)
    assert found is not None
    return found


def recorded_for_schools(*also: str) -> set[str]:
    """The events that code records with a school's id: by name, where it names them.

    ``also``: and with these, unless for each of many accounts.
    """
    found = set()
    for tree in source.trees().values():
        in_acts = calls_in_acts(tree)
        for node in ast.walk(tree):
            if not isinstance(node, ast.Call) or not node.args:
                continue
            named = {each.arg for each in node.keywords} | in_acts.get(node, set())
            first = node.args[0]
            if ast.unparse(node.func).endswith("record_for_each"):
                named.add("account_id")
            if {"school_id", *also} <= named and isinstance(first, ast.Constant):
                found.add(first.value)
    return found & VOCABULARY.keys()


def calls_in_acts(tree: ast.Module) -> dict[ast.Call, set[str]]:
    """What acts of staff add to what is recorded in them: the school, and whom they are on."""
    found = {}
    for function in tree.body:
        text = ast.unparse(function) if isinstance(function, ast.FunctionDef) else ""
        if not re.search(r"\bon(\.\w+)?\.record", text):
            continue
        on_account = re.search(r": OnAccount|\bact(_on_two)?\(", text)
        given = {"school_id", "account_id"} if on_account else {"school_id"}
        for node in ast.walk(function):
            if isinstance(node, ast.Call):
                name = ast.unparse(node.func)
                if re.fullmatch(r"on(\.\w+)?\.record(_for_each)?", name):
                    found[node] = given
    return found


def test_each_event_that_is_recorded_for_a_school_has_words() -> None:
    known = recorded_for_schools()

    assert {"role_granted", "roster_applied", "school_created"} <= known
    assert known - WORDS.keys() == set(), "add them to idp/audit/vocabulary.py"
    assert audit_log.PLATFORM - WORDS.keys() == set()


def test_each_act_of_a_desk_on_an_account_has_words_of_its_own_on_its_page() -> None:
    """« The account was changed » says nothing of a letter that was printed."""
    acts = recorded_for_schools("account_id")

    assert {"letter_printed", "token_sent", "access_closed"} <= acts
    assert acts - people_words.ACTS.keys() == set(), "add them to idp/audit/vocabulary.py"


@on_sqlite
def test_an_act_is_told_with_who_on_whom_before_and_after(desk: Desk) -> None:
    claire, (lina,) = factories.family(desk.here, "Lina", username="claire")
    changes.record(
        "child_changed",
        school_id=desk.here.id,
        actor=desk.staff("helper").id,
        account_id=claire.id,
        child_id=lina.id,
        before={"class": "3B", "email": "claire@dubois.example"},
        after={"class": "4A", "email": "claire@maes.example"},
    )

    page = desk.browser("manager").open("/admin/journal?kind=child_changed").text

    for words in ("Helper Bureau", "Claire Dubois", "Lina Dubois", "3B", "4A", "Classe"):
        assert words in page
    assert "claire@dubois" not in page.replace("<wbr>", "")


@on_sqlite
def test_a2_a_school_reads_its_own_journal_alone(desk: Desk) -> None:
    changes.record("child_left", school_id=desk.here.id)
    changes.record("client_created", school_id=None)

    of_manager = audit_log.page(member(desk, "manager"), kinds=["child_left", "client_created"])
    of_stranger = audit_log.page(member(desk, "stranger"), kinds=["child_left", "client_created"])
    of_operator = audit_log.page(member(desk, "operator"), kinds=["child_left", "client_created"])

    assert [each.event.event for each in of_manager.entries] == ["child_left"]
    assert of_stranger.entries == []
    assert {each.event.event for each in of_operator.entries} == {"child_left", "client_created"}


@on_sqlite
def test_c3_an_operator_is_the_platform_and_people_of_elsewhere_have_no_name(desk: Desk) -> None:
    zoe, _ = factories.family(desk.elsewhere, "Zoé", username="zoe", given_name="Zénobie")
    changes.record(
        "guardianship_ended",
        school_id=desk.here.id,
        actor=desk.staff("operator").id,
        account_id=zoe.id,
    )

    (entry,) = audit_log.page(
        member(desk, "manager"), kinds=["guardianship_ended", "access_closed"]
    ).entries

    assert (entry.who, entry.on) == (None, None)


@on_sqlite
def test_somebody_who_was_staff_keeps_the_name(desk: Desk) -> None:
    from idp.people import staff

    helper = desk.staff("helper")
    changes.record("child_left", school_id=desk.here.id, actor=helper.id)
    staff.revoke(helper.id, "helper", desk.here.id)

    (entry,) = audit_log.page(member(desk, "manager"), kinds=["child_left"]).entries

    assert entry.who is not None
    assert entry.who.name == "Helper Bureau"


@on_sqlite
def test_what_an_undo_took_back_is_not_told_as_made(desk: Desk) -> None:
    changes.record("roster_undone", school_id=desk.here.id, run="j_1", counts={"child_made": 3})

    page = unescape(desk.browser("manager").open("/admin/journal").text)

    assert "Élèves qui quittent de nouveau l'école: 3" in page
    assert "Nouveaux élèves" not in page


@on_sqlite
def test_an_event_without_words_is_told_all_the_same(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    changes.record("child_left", school_id=desk.here.id)
    monkeypatch.delitem(WORDS, "child_left")

    assert "Quelque chose a été modifié" in desk.browser("manager").open("/admin/journal").text


@on_sqlite
def test_pages_go_back_in_time_and_days_are_the_schools(desk: Desk) -> None:
    for _ in range(audit_log.PAGE + 5):
        changes.record("child_left", school_id=desk.here.id)
    manager = desk.browser("manager")

    first = manager.open("/admin/journal?kind=child_left")
    older = re.findall(r'id="journal-older"[^>]*href="([^"]+)"', first.text)[0]
    second = manager.open(older.replace("&amp;", "&"))

    assert first.text.count("<time") == audit_log.PAGE
    assert second.text.count("<time") == 5
    assert manager.open("/admin/journal?day=2020-01-01").text.count("<time") == 0


@on_sqlite
@pytest.mark.parametrize(
    "query", ["before=-1", "before=9" * 30, "day=x", "kind='--", "kind=sign_in"]
)
def test_a7_parameters_that_mean_nothing_ask_for_the_newest(desk: Desk, query: str) -> None:
    page = desk.browser("manager").open(f"/admin/journal?{query}")

    assert page.status_code == 200


@on_sqlite
def test_a6_the_list_for_a_spreadsheet_holds_no_formula(desk: Desk) -> None:
    claire, _ = factories.family(desk.here, "Lina", username="claire", family_name="=cmd|1")
    changes.record("guardianship_made", school_id=desk.here.id, account_id=claire.id)
    changes.record(
        "school_created", school_id=desk.here.id, before={"name": ""}, after={"name": "=1+1"}
    )

    answer = desk.browser("manager").client.get("/admin/journal.csv")

    assert answer.headers["Content-Type"] == "text/csv; charset=utf-8"
    assert not re.search(r'"[=+@-]', answer.text)
    assert "=1+1" in answer.text
