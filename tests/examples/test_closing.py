"""The demo's applications close a page when the provider tells them, and no other page."""

import json
import re
import subprocess
from html import unescape
from time import monotonic

import requests

from examples.demo import places
from tests.examples.running import ROOT, Demo, wait_until
from tests.relying_party import forms_of

GUARDIAN = "samira.benali"
"""Of Yanis and Inès; no other test looks at her."""


def idp(demo: Demo, *arguments: str) -> str:
    """A command of the demo's operator."""
    command = [str(places.idp_command()), "--env-file", str(demo.folder / "demo.env"), *arguments]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    return done.stdout


class Parent:
    """A browser without scripts in front of the portal, for one child."""

    def __init__(self, demo: Demo, child: str) -> None:
        self.portal = demo.document["portals"][0]["url"]
        self.http = requests.Session()
        self.http.trust_env = False
        page = self.http.get(f"{self.portal}/login", timeout=20)
        login = next(each for each in forms_of(page.text) if each.id == "login-form")
        password = demo.account("one-child")["password"]
        typed = {**login.hidden, "username": GUARDIAN, "password": password}
        page = self.http.post(page.url, data=typed, timeout=20)
        card = next(part for part in page.text.split("<li id=") if f">{child}" in part)
        chosen = re.search(r'name="child"\s+value="([^"]+)"', card)
        assert chosen, card
        form = next(each for each in forms_of(page.text) if each.id == "child-form")
        page = self.http.post(page.url, data={**form.hidden, "child": chosen[1]}, timeout=20)
        onward = re.search(r'http-equiv="refresh" content="0;url=([^"]+)"', page.text)
        assert onward, page.text[:2000]
        assert child in self.http.get(unescape(onward[1]), timeout=20).text

    def may_stay(self) -> bool:
        return bool(self.http.get(f"{self.portal}/visit.json", timeout=20).json()["open"])

    def sees(self) -> str:
        return self.http.get(self.portal, timeout=20).text


def test_the_childs_page_closes_and_the_siblings_stays(demo: Demo) -> None:
    yanis, ines = Parent(demo, "Yanis"), Parent(demo, "Inès")
    pupils = json.loads(idp(demo, "child", "list", "--json"))
    child_id = next(each["id"] for each in pupils if each["given_name"] == "Yanis")

    idp(demo, "child", "unlink", child_id, GUARDIAN, "--reason", "court")

    ended = monotonic()
    assert wait_until(lambda: not yanis.may_stay(), 15)
    assert monotonic() - ended < 10
    assert "Vous n'avez plus accès à cette page" in unescape(yanis.sees())
    assert ines.may_stay()
    assert "Inès" in ines.sees()
    told = json.loads(idp(demo, "client", "deliveries", "portal-tilleuls", "--json"))
    assert [each["status"] for each in told if each["event"] == "guardianship-ended"] == ["told"]

    idp(demo, "user", "disable", GUARDIAN)
    assert wait_until(lambda: not ines.may_stay(), 15)
    assert "Vous êtes déconnecté" in unescape(ines.sees())
