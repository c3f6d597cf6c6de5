"""R17: what a data protection officer is handed is what the program does."""

import re
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from flask import Flask

from idp.cli import privacy
from idp.database import db
from idp.purge import GROWING, KEPT, categories, periods
from tests.cli.conftest import run

pytestmark = pytest.mark.quick_on("sqlite")

__all__ = ["run"]

PAPERS = Path(__file__).resolve().parents[2] / "docs" / "privacy"


def test_r17_every_column_has_a_category(app: Flask) -> None:
    columns = [column for table in db.metadata.sorted_tables for column in table.c]
    without = [
        str(each) for each in columns if categories.find_category(*str(each).split(".")) is None
    ]
    assert without == [], "say in idp/purge/categories.py what it holds"


def test_no_category_speaks_of_what_is_not_there(app: Flask) -> None:
    columns = {str(column) for table in db.metadata.sorted_tables for column in table.c}
    names = columns | {each.partition(".")[2] for each in columns}
    assert set(categories.OF_COLUMN) - names == set()
    listed = Counter(name for each in categories.CATEGORIES for name in each.columns.split())
    assert [name for name, count in listed.items() if count > 1] == []


def test_a_name_that_means_several_things_is_told_apart(app: Flask) -> None:
    """A column called by a name alone is of one kind wherever it stands."""
    ambiguous = {"name", "text", "subject", "answer", "about", "report", "locale", "hash", "label"}
    assert ambiguous & set(categories.OF_COLUMN) == set()


def test_r17_every_table_has_a_purpose_and_a_period(app: Flask) -> None:
    listed = Counter(table for topic in periods.TOPICS for table in topic.tables.split())
    assert set(listed) == set(db.metadata.tables), "say in idp/purge/periods.py what it is for"
    assert max(listed.values()) == 1
    assert all(periods.describe_period(table) for table in listed)


def test_a_rule_of_its_own_has_words_of_its_own() -> None:
    """Else the table would say the least age, whatever else keeps a row."""
    special = {each.name for each in GROWING if not each.is_plain}
    staged = {each.name for each in GROWING if each.age is None}
    assert special - staged <= set(periods.DATED)
    assert set(periods.LASTING) == set(KEPT)


@pytest.mark.parametrize(
    ("paper", "lines"), [("retention.md", privacy.retention_lines), ("data.md", privacy.data_lines)]
)
def test_r17_the_papers_are_what_the_source_says(
    app: Flask, paper: str, lines: Callable[[], Any]
) -> None:
    """``idp privacy retention`` and ``idp privacy data`` make them anew."""
    assert "\n".join(lines()).strip() in (PAPERS / paper).read_text(encoding="utf-8")


def test_the_commands_print_them(run: Any) -> None:
    assert "| `audit_events` | 400 days" in run("privacy", "retention").output
    assert "| `passwords` | **secret**: hash" in run("privacy", "data").output


@pytest.mark.parametrize("paper", ["record.md", "dpia.md", "processor.md"])
def test_each_paper_can_be_handed_over(paper: str) -> None:
    """Plain sentences, with blanks for what only the school knows, and nothing of programs."""
    text = (PAPERS / paper).read_text(encoding="utf-8")
    assert "[…" in text, "a blank"
    assert not re.search(r"```|\bidp/|\.py\b", text)
    for article in {"record.md": ["30"], "dpia.md": ["35"], "processor.md": ["28"]}[paper]:
        assert f"Art. {article}" in text
