"""What one sign-in, one refresh and one family leave behind: the figures of docs/scale.md."""

from collections.abc import Callable
from pathlib import Path
from typing import Final

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import text

from bench import sizing
from bench.sizing import Cost
from idp.database import db
from tests import factories
from tests.relying_party import answer, world

PAGE: Final = Path(__file__).resolve().parents[2] / "docs" / "scale.md"
TOLERANCE: Final = 0.3
"""Indexes of so few rows are fuller or emptier than those of many."""
EACH: Final = text(
    "SELECT relname FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace"
)
on_postgresql = pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)


def left_behind(act: Callable[[], object], times: int) -> tuple[float, float, float]:
    """Rows, bytes and events for each of so many."""
    for _ in range(10):  # the first pages of each index are there
        act()
    before = sizes()
    for _ in range(times):
        act()
    after = sizes()
    rows, size = (sum(after[name][n] - before[name][n] for name in after) / times for n in (0, 1))
    of_audit = [name for name in after if name.startswith("audit_events")]
    return rows, size, sum(after[name][0] - before[name][0] for name in of_audit) / times


def sizes() -> dict[str, tuple[int, int]]:
    with db.engine.connect() as now:
        return {
            name: (
                now.exec_driver_sql(f'SELECT count(*) FROM "{name}"').scalar_one(),
                now.exec_driver_sql(f"SELECT pg_total_relation_size('{name}')").scalar_one(),
            )
            for name in now.scalars(EACH).all()
        }


def alike(left: tuple[float, float, float], cost: Cost) -> bool:
    rows, size, events = left
    return (
        round(rows) == cost.rows
        and round(events) == cost.events
        and abs(size / cost.size - 1) < TOLERANCE
    )


@pytest.mark.long
@on_postgresql
def test_what_a_refresh_leaves_is_what_the_page_says(app: Flask, client: FlaskClient) -> None:
    there = world(client)
    token = [there.redeem(scope="openid offline_access")["refresh_token"]]

    def refresh() -> None:
        token[0] = (there.portal.refresh(client, token[0]).json or {})["refresh_token"]

    left = left_behind(refresh, 600)
    assert alike(left, sizing.REFRESH), left


@pytest.mark.long
@on_postgresql
def test_what_a_code_flow_leaves_is_what_the_page_says(app: Flask, client: FlaskClient) -> None:
    there = world(client, "Lina")
    left = left_behind(lambda: there.redeem(scope="openid child"), 600)
    assert alike(left, sizing.CODE_FLOW), left


@pytest.mark.long
@pytest.mark.slow
@on_postgresql
def test_what_a_sign_in_leaves_is_what_the_page_says(app: Flask, client: FlaskClient) -> None:
    there = world(client, "Lina")

    def sign_in() -> None:
        client.delete_cookie("idp_session")
        there.ask(scope="openid child offline_access")
        there.tokens_of(answer(there.browser.sign_in("claire")))

    left = left_behind(sign_in, 100)
    assert alike(left, sizing.SIGN_IN), left


@pytest.mark.long
@on_postgresql
def test_what_a_family_keeps_is_what_the_page_says(app: Flask) -> None:
    school = factories.school()
    numbers = iter(range(10_000))

    def enrol() -> None:
        number = next(numbers)
        name = f"parent{number}"
        factories.family(school, "Lina", "Noé", username=name, email=f"{name}@families.example")

    left = left_behind(enrol, 200)
    assert alike(left, sizing.FAMILY), left


def test_the_page_has_the_tables_as_they_are_computed() -> None:
    page = PAGE.read_text(encoding="utf-8")
    assert sizing.costs() in page
    assert sizing.sizes() in page
