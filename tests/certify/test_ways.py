"""How the robot gets to the provider where no address does it: by forms, pages between, buttons."""

import pytest
from flask import Flask, redirect
from werkzeug.wrappers import Response

from idp.certify.provider import TestProvider
from idp.clients.certification import PASSED, UNTOLD
from tests.certify.conftest import Tried
from tests.certify.test_faults import Serve, faulty

START = """<a id="go" href="/login">Sign in</a>
<form method="post" action="/begin"><button>Sign in</button></form>
<form method="post" action="/begin?prompt=select_account"><button>Another child</button></form>"""
BETWEEN = '<form method="post" action="/begin"><button>Continue</button></form>'


@pytest.fixture
def home(test_provider: TestProvider, serve: Serve) -> str:
    """An application whose sign-in begins by a form."""

    def make(address: str) -> Flask:
        app = faulty(test_provider, "")(address)

        def begin() -> Response:
            return redirect("/login")

        app.post("/begin")(begin)
        app.add_url_rule("/start", "start", lambda: START)
        app.add_url_rule("/between", "between", lambda: BETWEEN)
        return app

    return serve(make)


@pytest.mark.parametrize(
    "login", ["begin", "begin?prompt=select_account", "between", "between?prompt=x", "#go"]
)
def test_a_sign_in_that_no_address_begins_is_begun(login: str, home: str, tried: Tried) -> None:
    report = tried(home, "pkce", login=login, page="start")

    assert report.results[-1].verdict == PASSED, report.results


def test_a_button_that_only_scripts_press_is_named(home: str, tried: Tried) -> None:
    report = tried(home, "pkce", login="#popup", page="start")

    assert report.results[-1].verdict == UNTOLD
    assert "--browser" in report.results[0].seen
