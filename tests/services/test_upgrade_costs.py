"""What a migration says that it costs is what PostgreSQL sees it do."""

import pytest
from alembic import command
from alembic.script import Script, ScriptDirectory
from flask import Flask

from idp.cli.upgrade_plan import cost_of
from idp.database import db, migrations
from idp.database.upgrade_costs import FORMER
from tests.costs import watched

on_postgresql = pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)


@pytest.fixture
def grown(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every table is taken for one that has grown, whose indexes are made beside traffic."""
    monkeypatch.setattr(migrations, "GROWN", -2)


def scripts() -> list[Script]:
    script = ScriptDirectory.from_config(migrations.configuration())
    return list(script.iterate_revisions("head", "base"))[::-1]


def differences(steps: list[Script]) -> dict[str, str]:
    """What some of the migrations say wrongly, when each is made in turn."""
    found = {}
    for each in steps:
        with watched() as seen:
            command.upgrade(migrations.configuration(), each.revision)
        said, is_so = cost_of(each), seen.cost
        # A table that it makes may be filled from others, which no lock tells
        tells_fills = set(said.fills) >= set(is_so.fills)
        if (said.locks, said.reads) != (is_so.locks, is_so.reads) or not tells_fills:
            found[each.revision] = f"it says {said}, and is {is_so}"
    return found


@on_postgresql
def test_each_migration_says_what_it_costs(app: Flask) -> None:
    silent = [
        each.revision
        for each in scripts()
        if each.revision not in FORMER and not hasattr(each.module, "cost")
    ]
    assert silent == []


@on_postgresql
def test_new_ones_say_what_is_so(app: Flask, grown: None) -> None:
    new = [each for each in scripts() if each.revision not in FORMER]
    command.downgrade(migrations.configuration(), max(FORMER))

    assert differences(new) == {}


@pytest.mark.long
@on_postgresql
def test_so_do_all_others(app: Flask, grown: None) -> None:
    command.downgrade(migrations.configuration(), "base")
    db.session.remove()

    assert differences(scripts()) == {}
