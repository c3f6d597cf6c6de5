"""A browser that is signed in, where the way in is not what a test is about.

What the sign-in pages do at their end is done here, without the five pages before it: those are
most of the time of a test that only wants to be inside.
"""

from contextvars import Context

from flask import Flask, Response
from flask.testing import EnvironBuilder, FlaskClient

from idp.lifecycle.sign_in import Proof
from idp.people.models import Account
from idp.web import browser

PASSWORD_AND_CODE = ("pwd", "otp", "mfa")


def enter(client: FlaskClient, account: Account, *amr: str) -> None:
    """Begin a session of this account in this browser. ``amr``: what was done for it."""
    proof = Proof(account.id, account.credentials_epoch, amr or ("pwd",))
    answer = Context().run(_signed_in, client, proof)
    client._update_cookies_from_response("localhost", "/", answer.headers.getlist("Set-Cookie"))


def _signed_in(client: FlaskClient, proof: Proof) -> Response:
    app: Flask = client.application
    environ = EnvironBuilder(app, "/", environ_base=client.environ_base).get_environ()
    client._add_cookies_to_wsgi(environ)
    with app.request_context(environ):
        app.preprocess_request()
        browser.browser_id()
        browser.sign_in(proof)
        return app.process_response(app.response_class())
