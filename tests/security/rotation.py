"""Workers whose lists of secrets are at different steps of a rotation, over one database."""

from collections.abc import Callable
from dataclasses import replace
from hashlib import sha256

from flask import Flask

from idp import create_app
from idp.database import db
from idp.readiness import agreement
from idp.settings import Settings
from tests.apart import ApartClient
from tests.conftest import SECRETS
from tests.relying_party import Browser

ROTATED = ("session_secret", "password_pepper", "token_hash_key")
NEWER = {name: sha256(f"a newer {name}".encode()).hexdigest().encode() for name in ROTATED}
STEPS = {
    "before": (SECRETS,),
    "added": (SECRETS, NEWER),
    "promoted": (NEWER, SECRETS),
    "removed": (NEWER,),
}
"""The lists of a rotation, in this order: the newest first."""

Start = Callable[[str], Flask]


def lists(step: str) -> dict[str, list[bytes]]:
    return {name: [each[name] for each in STEPS[step]] for name in ROTATED}


def worker(settings: Settings, step: str) -> Flask:
    """A worker that has started at this step."""
    app = create_app(replace(settings, **lists(step)))
    app.testing = True
    app.test_client_class = ApartClient
    with app.app_context():
        agreement.join()
        db.session.remove()
    return app


def sent_to(app: Flask, browser: Browser) -> Browser:
    """The same browser, whose next request another worker answers."""
    client = app.test_client()
    client._cookies = browser.client._cookies
    browser.client = client
    return browser
