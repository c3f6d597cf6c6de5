"""The desk speaks the languages of its staff, on every page, in whole sentences."""

from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules

import pytest
from flask import template_rendered
from jinja2 import Template
from werkzeug.test import TestResponse

from idp import create_app
from idp.database import db
from tests import databases
from tests.admin import walks
from tests.admin.places import Desk, desk_of
from tests.apart import ApartClient
from tests.conftest import settings_for_tests
from tests.web.test_translations import _PARTS, ROOT, assert_speaks, each_language_in_turn

on_sqlite = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)

Walk = Callable[[Desk], Iterator[TestResponse]]


def all_walks() -> dict[str, Walk]:
    names = sorted(each.name for each in iter_modules(walks.__path__))
    return {name: import_module(f"tests.admin.walks.{name}").walk for name in names}


@on_sqlite
@each_language_in_turn
@pytest.mark.parametrize("part", all_walks())
def test_the_desk_speaks_its_readers_language(desk: Desk, locale: str, part: str) -> None:
    desk.language = locale

    for page in all_walks()[part](desk):
        assert page.mimetype == "text/html", page.status
        assert_speaks(locale, page.text)


@pytest.mark.long
def test_the_walks_see_every_page_of_the_desk(keys_folder: Path) -> None:
    folder = Path(ROOT) / "templates"
    paths = folder.glob("admin/**/*.html")
    sources = {str(path.relative_to(folder)): path.read_text() for path in paths}
    parts = {part for source in sources.values() for part in _PARTS.findall(source)}
    seen = set()

    def note(_app: object, template: Template, **_context: object) -> None:
        seen.add(template.name)

    with template_rendered.connected_to(note):
        for walk in all_walks().values():
            walk_alone(walk, keys_folder)

    assert sources.keys() - parts - seen == set()


def walk_alone(walk: Walk, keys_folder: Path) -> None:
    """Walk at a desk that no other walk has seen."""
    with databases.fresh("sqlite") as url:
        app = create_app(settings_for_tests(url, keys_folder))
        app.testing = True
        app.test_client_class = ApartClient
        with app.app_context():
            list(walk(desk_of(app)))
            db.session.remove()
            db.engine.dispose()
