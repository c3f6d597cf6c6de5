"""Days and moments read alike on every page and in every mail."""

import re
from datetime import UTC, datetime
from pathlib import Path

import pytest
from flask import Flask
from flask_babel import force_locale

from idp.web import dates

pytestmark = pytest.mark.quick_on("sqlite")

ROOT = Path(__file__).parents[2]
WHEN = datetime(2026, 11, 24, 16, 5, 59, tzinfo=UTC)


@pytest.mark.parametrize(
    ("locale", "day", "moment"),
    [
        ("fr", "24 novembre 2026", "24 novembre 2026 à 17:05"),
        ("nl", "24 november 2026", "24 november 2026 om 17:05"),
        ("de", "24. November 2026", "24. November 2026 um 17:05"),
        ("en", "24 November 2026", "24 November 2026 at 17:05"),
    ],
)
def test_a_day_and_a_moment_are_written_as_people_write_them(
    app: Flask, locale: str, day: str, moment: str
) -> None:
    with app.test_request_context(), force_locale(locale):
        assert dates.day(WHEN) == day
        assert dates.moment(WHEN) == moment


@pytest.mark.parametrize("folder", ["templates", "idp"])
def test_nothing_is_dated_in_another_form(folder: str) -> None:
    other = re.compile(r"\b(?:date|datetime|time)format\b")
    found = [
        str(path.relative_to(ROOT))
        for path in (ROOT / folder).rglob("*")
        if path.suffix in {".html", ".txt", ".py"} and other.search(path.read_text("utf-8"))
    ]

    assert not found


def test_no_test_writes_a_day_by_a_clock_of_its_own() -> None:
    """One that did passed until an hour before midnight, when the platform has the next day."""
    own = re.compile(r"%B\b|\.day\}|\bdate\.today\(|\butcnow\(")
    tests = sorted((ROOT / "tests").rglob("*.py"))
    assert len(tests) > 300
    found = [
        f"{path.relative_to(ROOT)}:{number}"
        for path in tests
        if path != Path(__file__)
        for number, line in enumerate(path.read_text("utf-8").splitlines(), 1)
        if own.search(line)
    ]
    assert found == [], "tests.times.shown_day tells the day"
