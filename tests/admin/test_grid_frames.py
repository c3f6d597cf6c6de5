"""A table that is wider than its place is scrolled in a frame, by the keyboard too."""

import re
from pathlib import Path

import pytest

from idp import create_app
from idp.settings import Settings

pytestmark = pytest.mark.quick_on("sqlite")

TEMPLATES = Path(__file__).resolve().parents[2] / "templates"


def test_every_grid_stands_in_the_one_frame() -> None:
    found = 0
    for template in TEMPLATES.rglob("*.html"):
        text = template.read_text(encoding="utf-8")
        within = "".join(
            re.findall(r"\{% call grid_frame\(.*?%\}.*?\{% endcall %\}", text, flags=re.DOTALL)
        )
        grids = re.findall(r'<table[^>]*class="grid\b', text)
        assert len(grids) == len(re.findall(r'<table[^>]*class="grid\b', within)), template
        found += len(grids)
        if template.name != "components.html":
            assert "grid-frame" not in text, template
    assert found > 25


def test_the_frame_takes_the_focus_and_has_a_name(settings: Settings) -> None:
    made = create_app(settings).jinja_env.from_string(
        '{% from "components.html" import grid_frame %}'
        '{% call grid_frame("Classes & pupils", "more") %}<table></table>{% endcall %}'
    )
    frame = re.sub(r"\s+", " ", made.render())
    assert frame == (
        '<div class="grid-frame more" role="group" aria-label="Classes &amp; pupils"'
        ' tabindex="0"><table></table></div>'
    )
