"""A desk for each test: two schools, their staff, and an operator."""

import pytest
from flask import Flask

from tests.admin.places import Desk, desk_of


@pytest.fixture
def desk(app: Flask) -> Desk:
    return desk_of(app)
