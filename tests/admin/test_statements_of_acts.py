"""An act at the desk asks for what it needs, and loads no page that it does not show."""

import pytest
from flask import Flask

from tests import factories
from tests.admin.places import Desk, desk_of
from tests.parallel import Queries
from tests.relying_party import form_of

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)

OF_ANY_FORM = 6
"""The once-only key taken, its answer kept, what is old put away; session, roles, school."""


@pytest.fixture
def desk(app: Flask) -> Desk:
    return desk_of(app)


@pytest.mark.parametrize(
    ("page", "form", "fields", "most"),
    [
        ("edit", "email-form", {"email": "claire@maes.example"}, 21),
        ("edit", "name-form", {"given_name": "Claire", "family_name": "Maes"}, 12),
        ("edit", "username-form", {"username": "claire.maes"}, 13),
    ],
)
def test_an_act_takes_few_statements(
    desk: Desk, page: str, form: str, fields: dict[str, str], most: int
) -> None:
    claire, _children = factories.family(desk.here, "Lina", username="claire")
    manager = desk.browser("manager")
    action, hidden = form_of(manager.open(f"/admin/people/{claire.id}/{page}").text, form)
    with Queries() as asked:
        answer = manager.client.post(action, data={**hidden, **fields})
    assert answer.status_code == 303
    told = "\n".join(statement[:120].replace("\n", " ") for statement in asked)
    assert len(asked) <= most + OF_ANY_FORM, told
