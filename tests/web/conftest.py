"""A place for each test of the pages, and a database that needs no second kind."""

import pytest
from flask import Flask

from tests.web.places import Place, place


@pytest.fixture
def here(app: Flask) -> Place:
    return place(app)
