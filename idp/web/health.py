"""Health for load balancers: is the process alive, and can it serve."""

from flask import Blueprint, Response, jsonify
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from idp import readiness
from idp.audit import continuity
from idp.database import db
from idp.oidc.keyring import keyring
from idp.oidc.keys import KeyTrouble
from idp.readiness import agreement, lateness, leaving, write_probe

blueprint = Blueprint("health", __name__, url_prefix="/health")


@blueprint.get("/live")
def live() -> Response:
    """The process answers; asks nothing else, so that a lost database restarts nobody."""
    return jsonify(status="ok")


@blueprint.get("/ready")
def ready() -> tuple[Response, int]:
    """Whether requests should come here; says which part is missing, and nothing secret.

    A worker that is late keeps no requests away: it is said beside.
    """
    if leaving.leaves_nobody():
        return _answer("leaving", {}, 503)
    if not continuity.goes_on():  # nothing else is asked of an older database
        return _answer("failed", {"history": "failed"}, 503)
    checks = {"database": _database(), "keys": _keys()}
    checks["migrations"] = checks["database"] and readiness.schema().serves
    checks["writes"] = checks["migrations"] and write_probe.takes_writes()
    checks["history"] = checks["migrations"]
    checks["agreement"] = checks["migrations"] and checks["keys"] and not agreement.differences()
    answers = {part: "ok" if good else "failed" for part, good in checks.items()}
    if checks["migrations"]:
        answers |= lateness.words()
    good = all(checks.values())
    return _answer("ok", answers, 200) if good else _answer("failed", answers, 503)


def _answer(status_word: str, parts: dict[str, str], status: int) -> tuple[Response, int]:
    response = jsonify(status=status_word, **parts)
    if status != 200:
        response.headers["Retry-After"] = "5"
    return response, status


def _database() -> bool:
    try:
        db.session.execute(text("SELECT 1"))
    except SQLAlchemyError:
        db.session.remove()
        return False
    return True


def _keys() -> bool:
    try:
        return bool(keyring().key_set()["keys"])
    except (KeyTrouble, OSError):
        return False
