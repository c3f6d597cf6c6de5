"""The demo's stand-in for a phone: the codes that the staff's authenticator apps show now."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import cast

import pyotp
from flask import Blueprint, Response, abort, current_app, jsonify, render_template

blueprint = Blueprint("authenticator", __name__)


@blueprint.get("/authenticator")
def show_codes() -> Response:
    """Who has an app, and its code; the page comes again when the codes change."""
    left = 30 - int(datetime.now(UTC).timestamp()) % 30
    response = Response(render_template("authenticator.html", codes=_codes(), left=left))
    response.headers["Refresh"] = str(left + 1)
    return response


@blueprint.get("/authenticator.json")
def as_json() -> Response:
    """The codes by user name, for programs."""
    return jsonify(_codes())


def _codes() -> dict[str, str]:
    file = cast(Path | None, current_app.extensions["portal.authenticator"])
    if file is None or not file.exists():
        abort(404)
    secrets: dict[str, str] = json.loads(file.read_text(encoding="utf-8"))
    return {username: pyotp.TOTP(secret).now() for username, secret in secrets.items()}
