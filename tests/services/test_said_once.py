"""What is asked in many places is said in one: that a guardianship is live, whose a school is."""

import ast
import inspect
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from alembic import command
from flask import Flask
from sqlalchemy import Select, select, text

import idp
from idp import clock
from idp.database import db, migrations, transaction
from idp.desk.access.rights import AT_TERMINAL
from idp.desk.people import page as people
from idp.oidc import child_selection
from idp.people import guardianships, search_index, search_texts
from idp.people.guardianships import LiveGuardianship, live, not_ended, over_since
from idp.people.models import Child, Guardianship
from tests import factories, source

CODE = Path(idp.__file__).parent
HOMES = {"idp/people/guardianships.py", "idp/people/models.py"}
"""Where the condition is, and where the index is that keeps one of a pair."""


def four_states() -> dict[str, Guardianship]:
    """One guardian's guardianships: both may be over, in either way."""
    _parent, pupils = factories.family(factories.school(), "Live", "Ended", "Left", "Both")
    links = {
        child.given_name: link
        for link, child in db.session.execute(
            select(Guardianship, Child).join(Child, Child.id == Guardianship.child_id)
        )
    }
    with transaction():
        links["Ended"].ended_at = links["Both"].ended_at = clock.now()
        pupils[2].left_at = pupils[3].left_at = clock.now()
        search_index.refresh_accounts([_parent.id])
    return links


def names(condition: object) -> set[str]:
    joined = select(Child.given_name).join(Guardianship, Guardianship.child_id == Child.id)
    return set(db.session.scalars(joined.where(condition)))  # type: ignore[arg-type]


class TestOneMeaning:
    def test_condition_view_and_pages_say_the_same(self, app: Flask) -> None:
        links = four_states()
        of_account = links["Live"].account_id
        in_view = db.session.scalars(
            select(Child.given_name).join(LiveGuardianship, LiveGuardianship.child_id == Child.id)
        ).all()
        shown = people.person(AT_TERMINAL, of_account).links

        assert in_view == ["Live"]
        assert names(live()) == names(over_since().is_(None)) == {"Live"}
        assert names(not_ended()) == {"Live", "Left"}
        assert [child.given_name for child, _ in guardianships.live_children(of_account)] == in_view
        assert {name for name, link in links.items() if locked(link)} == {"Live"}
        assert shown[0].child.given_name == "Live"
        assert [each.live for each in shown] == [True, False, False, False]

    def test_a_guardian_is_found_by_the_pupils_whom_they_may_see(self, app: Flask) -> None:
        of_account = four_states()["Live"].account_id
        entry = db.session.scalars(
            select(search_index.DirectoryEntry.text).where(
                search_index.DirectoryEntry.account_id == of_account
            )
        ).one()
        behind = entry.split(search_texts.BEHIND)[1].split()
        assert "live" in behind
        assert not {"ended", "left", "both"} & set(behind)

    def test_the_view_goes_with_its_migration_and_comes_back(self, app: Flask) -> None:
        four_states()
        db.session.remove()
        command.downgrade(migrations.configuration(), "0035")
        command.upgrade(migrations.configuration(), "head")
        assert len(db.session.scalars(select(LiveGuardianship.id)).all()) == 1


def locked(link: Guardianship) -> bool:
    return guardianships.lock_guardianship(link.account_id, link.child_id)


class TestThePlan:
    """Either database puts the view into the query, and reads by the tables' indexes."""

    def test_it_is_put_into_the_query(self, app: Flask) -> None:
        of_account = four_states()["Live"].account_id
        by_guardian = select(LiveGuardianship.child_id).where(
            LiveGuardianship.account_id == of_account
        )
        of_class = select(LiveGuardianship.account_id).where(
            LiveGuardianship.school_id == "s_1", LiveGuardianship.class_name == "3B"
        )
        for each in (by_guardian, of_class):
            assert not re.search("live_guardianships|MATERIALIZE|CO-ROUTINE", plan(each))
        if db.engine.dialect.name == "sqlite":  # PostgreSQL reads a table of four rows at once
            assert "ix_guardianships_account_id (account_id=?)" in plan(by_guardian)
            assert "ix_children_school_id_class_name (school_id=? AND class" in plan(of_class)


def plan(query: Select[str]) -> str:
    said = query.compile(db.engine, compile_kwargs={"literal_binds": True})
    explain = "EXPLAIN QUERY PLAN" if db.engine.dialect.name == "sqlite" else "EXPLAIN"
    return "\n".join(row[-1] for row in db.session.execute(text(f"{explain} {said}")))


class TestNoOtherPlace:
    def test_the_code_asks_it_nowhere_else(self) -> None:
        found = {
            f"{path}:{line}"
            for path, tree in source.trees().items()
            if str(path) not in HOMES
            for line in asked_in(tree)
        }
        assert found == set()

    @pytest.mark.parametrize(
        "written",
        [
            "query.where(Guardianship.ended_at.is_(None))",
            "query.where(Guardianship.ended_at == None)",
            "query.filter_by(account_id=a, child_id=b, ended_at=None)",
            "link = aliased(Guardianship); query.where(link.ended_at.is_(None))",
            "order = Guardianship.ended_at.is_not(None)",
            "live = each.guardianship.ended_at is None",
            "x = 'SELECT 1 FROM guardianships w WHERE w.ended_at IS NULL'",
            "x = f'SELECT 1 FROM {table} w WHERE w.ended_at  is not null AND {more}'",
            "x = 'coalesce(w.ended_at, c.left_at)'",
            "G = Guardianship; query.where(G.ended_at.is_(None))",
            "g = get(a, b); over = g.ended_at is not None",
            "query.where(Guardianship.__table__.c.ended_at.is_(None))",
            "query.where(Guardianship.ended_code.is_(None))",
            "x = f'{sql_not_ended(w)} AND c.left_at IS NULL'",
            "query.where(not_ended(), Child.left_at.is_(None))",
        ],
    )
    def test_it_would_be_found(self, written: str) -> None:
        assert list(asked_in(ast.parse(written))) == [1]

    def test_the_schools_of_staff_are_a_condition_in_one_place(self) -> None:
        written = re.compile(r"in_\((sorted\()?\w+\.school_ids")
        assert written.search("query.where(Child.school_id.in_(sorted(school_scope.school_ids)))")
        found = [
            str(path.relative_to(CODE))
            for path in CODE.rglob("*.py")
            if written.search(path.read_text())
        ]
        assert found == ["desk/access/scope.py"]

    def test_other_ends_may_be_asked_for(self) -> None:
        written = inspect.getsource(child_selection) + "\nquery.where(Grant.ended_at.is_(None))"
        assert list(asked_in(ast.parse(written))) == []


IN_SQL = re.compile(r"ended_at\s+IS\b|coalesce\(\w+\.ended_at", re.IGNORECASE)


OTHERS = {"BrowserSession", "EmailChange", "change", "Grant", "grant", "OneTimeToken"}
OTHERS |= {"RegistrationToken", "token"}
OTHERS |= {"onboarding", "window", "guardianships"}  # since when, for a page; the home's function
"""What else has an end; whatever is called otherwise may be a guardianship."""


MAY_LIVE_AGAIN = "_CAN_LIVE_AGAIN"
"""The one statement about guardianships that have ended of pupils who are at school."""


def asked_in(tree: ast.Module) -> Iterator[int]:
    """The lines that ask whether a guardianship has ended, in Python or in SQL."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and node.attr == "ended_at":
            if not stored(node) and last_name(node.value) not in OTHERS:
                yield node.lineno
        elif isinstance(node, ast.Attribute) and node.attr.startswith("is_"):
            if last_name(node.value) == "ended_code":
                yield node.lineno
        elif isinstance(node, ast.keyword) and node.arg == "ended_at":
            if isinstance(node.value, ast.Constant) and in_filter(tree, node):
                yield node.value.lineno
        elif isinstance(node, ast.Constant) and IN_SQL.search(str(node.value)):
            yield node.lineno
    yield from (each.lineno for each in tree.body if is_put_together(each))


def is_put_together(block: ast.stmt) -> bool:
    """Whether a function, or a statement outside of all, joins both halves of ``live()`` anew."""
    written = ast.unparse(block)
    halves = r"not_ended\(", r"left_at(\.is_\(None| IS NULL)"
    return not written.startswith(MAY_LIVE_AGAIN) and all(
        re.search(half, written) for half in halves
    )


def last_name(node: ast.expr) -> str:
    return str(getattr(node, "attr", getattr(node, "id", "")))


def stored(node: ast.Attribute) -> bool:
    return isinstance(node.ctx, ast.Store)


def in_filter(tree: ast.AST, keyword: ast.keyword) -> bool:
    return any(
        isinstance(call.func, ast.Attribute) and call.func.attr == "filter_by"
        for call in ast.walk(tree)
        if isinstance(call, ast.Call) and keyword in call.keywords
    )
