"""The staff of the demo's schools, and the phone that the portal plays for them."""

import re

import requests

from tests.examples.running import Demo


def form_token(page: requests.Response) -> dict[str, str]:
    found = re.search(r'name="csrf_token" value="([^"]+)"', page.text)
    assert found, page.text[:2000]
    return {"csrf_token": found[1]}


def test_each_of_the_staff_opens_the_desk_with_the_code_that_the_demo_shows(demo: Demo) -> None:
    for clerk in demo.document["staff"]:
        session = requests.Session()
        page = session.get(demo.document["issuer"], timeout=10)
        typed = {"username": clerk["username"], "password": clerk["password"]}
        page = session.post(page.url, data=form_token(page) | typed, timeout=10)
        codes = requests.get(f"{demo.document['authenticator']}.json", timeout=10).json()
        code = {"code": codes[clerk["username"]]}
        page = session.post(page.url, data=form_token(page) | code, timeout=10)
        assert "open-desk" in page.text
        assert session.get(demo.document["desk"], timeout=10).status_code == 200
