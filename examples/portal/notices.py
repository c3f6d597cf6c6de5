"""What the provider tells us by itself: a session, or a guardianship, has ended.

A logout token (OpenID Connect Back-Channel Logout 1.0 §2.6) closes the visits of one session; a
security event (RFC 8417, pushed as RFC 8935 says) those of one guardian about one child.
"""

from collections.abc import Callable
from time import time
from typing import Any

import requests
from flask import Blueprint, Response, jsonify, request, session
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

from examples.portal import sign_in
from examples.portal.config import current
from examples.portal.visits import Visit

blueprint = Blueprint("notices", __name__)

LOGOUT = "http://schemas.openid.net/event/backchannel-logout"
GUARDIANSHIP_ENDED = "urn:school-idp:event:guardianship-ended"
ALGORITHMS = ["RS256"]
"""What our registration asks for."""
OLDEST = 300
"""Seconds: a token that is older is somebody's who kept one."""


@blueprint.post("/logout-token/<name>")
def logout_token(name: str) -> Response:
    """A session has ended at the provider. ``name``: which of our registrations is told."""
    try:
        claims = _verified(name, request.form.get("logout_token", ""), "logout+jwt", LOGOUT)
        if "nonce" in claims or not ({"sub", "sid"} & claims.keys()):
            raise ValueError("no logout token")
    except (JoseError, ValueError) as error:
        return _refused("error", "invalid_request", error)
    except requests.RequestException:
        return Response(status=503)  # without the provider's keys: it will ask again
    sid, sub = claims.get("sid"), claims.get("sub")

    def ended(visit: Visit) -> bool:
        return bool(visit.claims.get("sid") == sid if sid else visit.claims["sub"] == sub)

    sign_in.visits().close("session", claims["jti"], _of(name, ended))
    return Response(status=200, headers={"Cache-Control": "no-store"})


@blueprint.post("/security-events/<name>")
def security_events(name: str) -> Response:
    """A guardian may no longer see a child: their visits about that child end, and no other."""
    try:
        token = request.get_data(as_text=True)
        claims = _verified(name, token, "secevent+jwt", GUARDIANSHIP_ENDED)
        guardian = claims["sub_id"]["sub"]
        child = claims["events"][GUARDIANSHIP_ENDED]["child"]["sub"]
        happened_at = int(claims.get("toe", claims["iat"]))
    except (JoseError, ValueError, KeyError, TypeError) as error:
        return _refused("err", "invalid_request", error)
    except requests.RequestException:
        return Response(status=503)

    def ended(visit: Visit) -> bool:
        told_of = (visit.child or {}).get("sub")
        if visit.claims["iat"] > happened_at:  # they were linked again, and have signed in since
            return False
        return bool(visit.claims["sub"] == guardian and told_of == child)

    sign_in.visits().close("guardianship", claims["jti"], _of(name, ended))
    return Response(status=202)


@blueprint.get("/visit.json")
def still_open() -> Response:
    """Whether the page that asks may stay open; asked every few seconds (``portal.js``)."""
    visit_id = session.get(request.args.get("of", "visit"))
    return jsonify(open=sign_in.visits().find(visit_id) is not None)


def _verified(name: str, token: str, kind: str, event: str) -> dict[str, Any]:
    """The claims of a token that the provider signed for us, just now, about this."""
    provider = sign_in.client(name)
    try:
        found = jwt.decode(token, _keys(provider), algorithms=ALGORITHMS)
    except (JoseError, ValueError):  # perhaps a key that is newer than what we know
        found = jwt.decode(token, _keys(provider, force=True), algorithms=ALGORITHMS)
    claims = dict(found.claims)
    fresh = abs(time() - int(claims.get("iat", 0))) < OLDEST
    for_us = claims.get("iss") == current().issuer and claims.get("aud") == provider.client_id
    if found.header.get("typ") != kind or not (fresh and for_us):
        raise ValueError("another token")
    if not isinstance(claims.get("jti"), str):
        raise ValueError("a token without a name")
    if event not in claims.get("events", {}):
        raise ValueError("another event")
    return claims


def _keys(provider: Any, *, force: bool = False) -> KeySet:
    return KeySet.import_key_set(provider.fetch_jwk_set(force=force))


def _of(name: str, ended: Callable[[Visit], bool]) -> Callable[[Visit], bool]:
    """The portal and the homework helper keep their visits in one store."""
    client_id = sign_in.client(name).client_id
    return lambda visit: visit.claims.get("aud") == client_id and ended(visit)


def _refused(member: str, code: str, error: Exception) -> Response:
    answer = jsonify({member: code, "description": type(error).__name__})
    answer.status_code = 400
    return answer
