"""The desk speaks the languages of its staff, on every page, in whole sentences."""

from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules

import pytest
from flask import template_rendered
from jinja2 import Template
from werkzeug.test import TestResponse

from tests.admin import walks
from tests.admin.places import Desk
from tests.web.test_translations import _PARTS, ROOT, assert_speaks, each_language

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)

Walk = Callable[[Desk], Iterator[TestResponse]]


def all_walks() -> dict[str, Walk]:
    names = sorted(each.name for each in iter_modules(walks.__path__))
    return {name: import_module(f"tests.admin.walks.{name}").walk for name in names}


@each_language
@pytest.mark.parametrize("part", all_walks())
def test_the_desk_speaks_its_readers_language(desk: Desk, locale: str, part: str) -> None:
    desk.language = locale

    for page in all_walks()[part](desk):
        assert page.mimetype == "text/html", page.status
        assert_speaks(locale, page.text)


def test_the_walks_see_every_page_of_the_desk(desk: Desk) -> None:
    folder = Path(ROOT) / "templates"
    paths = folder.glob("admin/**/*.html")
    sources = {str(path.relative_to(folder)): path.read_text() for path in paths}
    parts = {part for source in sources.values() for part in _PARTS.findall(source)}
    seen = set()

    def note(_app: object, template: Template, **_context: object) -> None:
        seen.add(template.name)

    with template_rendered.connected_to(note):
        for walk in all_walks().values():
            list(walk(desk))

    assert sources.keys() - parts - seen == set()
