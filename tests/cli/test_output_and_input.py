"""Tables that people read, and what is read from people."""

from datetime import UTC, datetime, timedelta

import click
import pytest

from idp.cli import inputs, output
from idp.settings import variables as environment


def test_cells_say_nothing_yes_no_and_when() -> None:
    moment = datetime(2026, 11, 23, 8, 30, tzinfo=UTC)
    line = [None, "", [], True, False, moment, ["a", "b"], {"n": moment}]
    cells = output.table("abcdefgh", [line]).splitlines()[1].split("  ")
    shown = [cell for cell in cells if cell]
    assert shown[:6] == ["-", "-", "-", "yes", "no", "2026-11-23 08:30Z"]
    assert shown[6] == "a, b"
    assert "2026-11-23T08:30" in shown[7]


def test_columns_align_by_what_a_terminal_shows() -> None:
    combining = "e\u0301te\u0301"
    lines = output.table(["name", "x"], [[combining, 1], ["漢字", 2], ["name", 3]]).splitlines()
    assert lines[1] == f"{combining}   1"
    assert lines[2] == "漢字  2"
    assert lines[3] == "name  3"


def test_a_table_fits_the_terminal_and_cuts_no_id() -> None:
    identifier = "a_" + "x" * 22
    lines = [[identifier, "claire.dubois", "a long text " * 20]]

    table = output.fitting(["id", "username", "detail"], lines, 80)

    assert max(map(len, table.splitlines())) <= 80
    assert identifier in table
    assert table.rstrip().endswith("…")


def test_where_even_ids_are_too_wide_each_row_is_told_line_by_line() -> None:
    identifier = "a_" + "x" * 22
    table = output.fitting(["id", "account", "child"], [[identifier] * 3] * 2, 60)
    assert table.splitlines()[0] == f"id       {identifier}"
    assert len(table.split("\n\n")) == 2


def test_without_a_bound_nothing_is_cut() -> None:
    assert "…" not in output.fitting(["detail"], [["a long text " * 200]], None)


@pytest.mark.parametrize(
    ("typed", "length"),
    [
        ("0", timedelta(0)),
        ("90s", timedelta(seconds=90)),
        ("15m", timedelta(minutes=15)),
        ("24h", timedelta(hours=24)),
        ("7d", timedelta(days=7)),
    ],
)
def test_durations(typed: str, length: timedelta) -> None:
    assert inputs.duration(typed) == length


def test_moments_are_utc_where_they_name_no_zone() -> None:
    assert inputs.moment("2026-11-23") == datetime(2026, 11, 23, tzinfo=UTC)
    assert inputs.moment("2026-11-23T09:30+01:00") == datetime(2026, 11, 23, 8, 30, tzinfo=UTC)
    with pytest.raises(click.BadParameter):
        inputs.moment("tomorrow")


def test_a_settings_file_is_read_as_systemd_reads_it() -> None:
    text = "# note\n\nA=1\nexport B = \"two words\"\nC='it''s'\nD=a=b # kept\nE=\n"
    parsed = environment.parse_file(text)
    assert parsed == {"A": "1", "B": "two words", "C": "it''s", "D": "a=b # kept", "E": ""}


@pytest.mark.parametrize("line", ["=x", "1A=x", "A B=x", "A=\0"])
def test_other_lines_are_refused_by_their_number(line: str) -> None:
    with pytest.raises(ValueError, match="line 2"):
        environment.parse_file(f"A=1\n{line}")
