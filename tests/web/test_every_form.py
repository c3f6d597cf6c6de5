"""Every form of a page that is sent carries the form token and the key (security rules S3, N5)."""

import re
from pathlib import Path

from tests.examples.running import ROOT

_FORM = re.compile(r"<form\b[^>]*?method=\"post\".*?</form>", re.DOTALL)
TEMPLATES = Path(ROOT) / "templates"
OTHERS = {
    "layout.html": "the language is a cookie of the browser: chosen twice is chosen",
    "protocol/form_post.html": "goes to the application, not to us",
    "errors/way_back.html": "goes to the application, not to us",
}


def test_s3_n5_no_form_is_forgotten() -> None:
    seen = 0
    for template in sorted(TEMPLATES.rglob("*.html")):
        if template.relative_to(TEMPLATES).as_posix() in OTHERS:
            continue
        for form in _FORM.findall(template.read_text(encoding="utf-8")):
            seen += 1
            assert "csrf()" in form, f"{template}: {form[:200]}"
    assert seen > 80


def test_n5_the_macro_writes_both() -> None:
    components = (TEMPLATES / "components.html").read_text(encoding="utf-8")
    macro = components.partition("{% macro csrf()")[2].partition("{%- endmacro")[0]
    assert 'name="csrf_token"' in macro
    assert 'name="once"' in macro
