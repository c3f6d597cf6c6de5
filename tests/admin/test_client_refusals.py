"""« Last refusals of this application »: for who edits applications, in the developer's words."""

import pytest

from tests.admin.client_forms import LIST
from tests.admin.places import Desk
from tests.relying_party import RelyingParty

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


def test_the_applications_page_names_its_last_refusals(desk: Desk) -> None:
    portal = RelyingParty.of(desk.here)
    address = f"{LIST}/{portal.client_id}"
    operator, manager = desk.browser("operator"), desk.browser("manager")
    before = operator.open(address).text
    server = desk.app.test_client(use_cookies=False)

    server.post(
        "/oauth2/token",
        data={"grant_type": "authorization_code", "code": "x"},
        auth=(portal.client_id, "wrong"),
    )

    assert 'id="client-refusals"' in before
    assert "The client secret is wrong" not in before
    assert "The client secret is wrong" in operator.open(address).text
    assert "The client secret is wrong" not in manager.open(address).text
