"""The browser at the other end: its cookies, its session, its address."""

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, cast

from flask import Flask, Request, Response, g, request, session
from flask.sessions import SecureCookieSession, SecureCookieSessionInterface

from idp import correlation, settings
from idp.credentials import devices
from idp.lifecycle import endings, staying
from idp.lifecycle import sign_in as sign_ins
from idp.lifecycle.endings import Cause, These
from idp.lifecycle.sign_in import Proof
from idp.people import schools
from idp.sessions import interactions
from idp.sessions import service as sessions
from idp.sessions.models import BrowserSession, Interaction, SessionRow
from idp.sessions.persistent import DeviceKey
from idp.sessions.service import SignedIn
from idp.web import trusted_proxies, user_agents

PERSONAL = ("csrf_token", "_flashes", "offered_application", "p")
"""What the browser's cookie holds for who is signed in; the language is the browser's own."""
_UNKNOWN: Any = object()


def init_app(app: Flask) -> None:
    """Begin the correlation of each request, and set the cookies that a view asked for."""
    app.session_interface = _BrowserCookie()
    app.before_request(_begin_correlation)
    app.after_request(_set_cookies)


def browser_id() -> str:
    """The random id of this browser, from its signed cookie; made at first need."""
    if "b" not in session:
        session["b"] = secrets.token_urlsafe(16)
        session.permanent = True
    return cast(str, session["b"])


def person_id() -> str:
    """A random id of whoever sits at this browser now; gone when they sign out."""
    if "p" not in session:
        session["p"] = secrets.token_urlsafe(16)
    return f"{browser_id()}.{session['p']}"


def newest_waiting() -> Interaction | None:
    """The request of an application that was last seen in this browser and still waits."""
    return interactions.newest_waiting(browser_id(), request.cookies.get(_name("waiting"), ""))


def has_id() -> bool:
    """Whether the browser brought, or just got, an id of ours."""
    return "b" in session


def has_cookies() -> bool:
    """Whether the browser sent any cookie of ours."""
    names = (_name("session"), _name("stay"), _name("device"), _name("browser"))
    return any(name in request.cookies for name in names)


def signed_in() -> SignedIn | None:
    """Who is signed in in this browser; looked up once a request."""
    if g.get("signed_in", _UNKNOWN) is _UNKNOWN:
        secret = session_secret()
        g.signed_in = sessions.find(secret) if secret else None
    signed_in_now = cast(SignedIn | None, g.signed_in)
    if signed_in_now is not None:
        correlation.current().actor = signed_in_now.account.id
    return signed_in_now


def look_again() -> None:
    """Forget who was signed in a moment ago: the session may have ended since."""
    g.pop("signed_in", None)


def not_signed_out() -> SignedIn | None:
    """Who is signed in in this browser, or was, and has not signed out: their session has only
    run out, and applications take them for signed in still; or the browser stays signed in.
    """
    if (signed_in_now := signed_in()) is not None:
        return signed_in_now
    secret = session_secret()
    left = sessions.find_left(secret) if secret else None
    if left is None and (key := device_key()) is not None:
        left = staying.last_session(key)
    return left


def device_key() -> DeviceKey | None:
    """The key of a browser that stays signed in, if it has brought one."""
    cookie = request.cookies.get(_name("stay"))
    return DeviceKey.of_cookie(cookie) if cookie else None


def come_back(key: DeviceKey) -> None:
    """Sign in whoever stays signed in in this browser; a key that is worth nothing goes."""
    match staying.come_back(key, device=device_name(), device_secret=device_secret()):
        case staying.CameBack(secret, successor):
            cookies_to_set().update(session=secret, stay=successor.cookie)
            look_again()
        case staying.Gone():
            cookies_to_set()["stay"] = None


def note_signed_in(signed_in_now: SignedIn | None) -> None:
    """Who is signed in, where that was looked up together with something else."""
    g.signed_in = signed_in_now


def session_secret() -> str | None:
    """The secret of this browser's session, if it has one."""
    begun_now = cookies_to_set().get("session")
    secret = begun_now or request.cookies.get(_name("session"), "")
    return secret if 20 <= len(secret) <= 100 else None


def known_signed_in() -> SignedIn | None:
    """Who is signed in, where this request has looked; asks no database, for error pages too."""
    signed_in_now = g.get("signed_in", _UNKNOWN)
    return None if signed_in_now is _UNKNOWN else cast(SignedIn | None, signed_in_now)


@dataclass(frozen=True)
class Begun:
    """A session that has begun, and what the browser is to load because another person's ended."""

    session: BrowserSession
    frames: Sequence[str] = ()
    stays: bool = False
    """Whether the browser stays signed in from now on, as was asked."""


def sign_in(proof: Proof, *, stays: bool = False) -> Begun:
    """Begin a new session in this browser; the one before it ends (session fixation, rule S1).

    ``stays``: whether the browser is to stay signed in, where this person's may. Another
    person's session ends as if they had signed out, even where it had run out.
    Raises ``lifecycle.sign_in.ProofGone``.
    """
    before = not_signed_out()
    device, known_by = device_name(), device_secret()
    begun, secret = sign_ins.begin(proof, device=device, device_secret=known_by)
    frames: Sequence[str] = ()
    is_another = before is not None and before.account.id != proof.account_id
    if before is not None and is_another:
        frames = endings.sign_out(before.account.id, before.session.id)
        _forget_person()
    kept = _keep_key(begun, stays=stays)
    if before is not None and not is_another and signed_in() is not None:
        endings.replace_session(before.account.id, before.session.id)
    cookies = cookies_to_set()
    cookies["session"] = secret
    cookies["device"] = devices.remember_device(proof.account_id, known_by)
    g.pop("signed_in", None)
    return Begun(begun, frames, kept)


def _keep_key(begun: BrowserSession, *, stays: bool) -> bool:
    """Let the browser stay signed in where that is wanted, or still so. Before the same person's
    session ends on which the key has hung. Returns whether what is wanted is so.
    """
    key, made = device_key(), None
    if stays:
        made = staying.keep(begun.account_id, begun.id)
        if made is not None or key is not None:
            cookies_to_set()["stay"] = made.cookie if made else None
        if key is not None:
            staying.forget(key, for_=begun.account_id)
    elif key is not None and not staying.follow(key, begun.account_id, begun.id):
        cookies_to_set()["stay"] = None
        staying.forget(key)
    return made is not None


def step_up(session: SessionRow, proof: Proof) -> None:
    """Note a fresh proof in this browser's session, whose cookie changes.

    Raises ``lifecycle.sign_in.ProofGone``.
    """
    cookies_to_set()["session"] = sign_ins.step_up(session, proof)
    g.pop("signed_in", None)


def sign_out() -> list[str]:
    """End this browser's session on the server, one that has run out too, and take its cookie away;
    returns the addresses of applications that the browser is to load then.

    The browser keeps its id, so that waiting requests go on; what the person left goes.
    """
    frames: list[str] = []
    if (lasting := not_signed_out()) is not None:
        frames = endings.sign_out(lasting.account.id, lasting.session.id)
    _forget_person()
    cookies_to_set()["session"] = None
    if _name("stay") in request.cookies:
        cookies_to_set()["stay"] = None
        if (key := device_key()) is not None:
            staying.forget(key)
    g.signed_in = None
    return frames


def _forget_person() -> None:
    """Leave nothing of the person to whoever comes next (security rule S6)."""
    g.person_left = True
    if "b" in session:
        endings.end(Cause.BROWSER_LEFT, These(browser=browser_id()))
    for left in PERSONAL:
        session.pop(left, None)


def device_secret() -> str | None:
    """The secret of the known-device cookie, if the browser has one."""
    secret = request.cookies.get(_name("device"), "")
    return secret if 20 <= len(secret) <= 100 else None


def client_address() -> str:
    """The client's address: the nearest one that is not a proxy of ours (rule E8)."""
    return trusted_proxies.nearest(
        request.remote_addr or "",
        request.headers.get("X-Forwarded-For", ""),
        settings.current().trusted_proxies,
    )


def device_name() -> str:
    """Browser and system in words."""
    return user_agents.name_of(request.user_agent.string)


def _begin_correlation() -> None:
    correlation.begin()
    note_address(request.environ, settings.current())


def note_address(environ: dict[str, Any], configured: settings.Settings) -> None:
    """Say whose request the present correlation is about."""
    sender, forwarded = environ.get("REMOTE_ADDR") or "", environ.get("HTTP_X_FORWARDED_FOR")
    address, trouble = trusted_proxies.read(sender, forwarded or "", configured.trusted_proxies)
    correlation.current().address = address
    if forwarded is not None and trouble is not None:
        trusted_proxies.note(trouble, address)


def cookies_to_set() -> dict[str, str | None]:
    """The cookies, by kind, that this answer sets; None for one that it takes away."""
    if "cookies_to_set" not in g:
        g.cookies_to_set = {}
    return cast(dict[str, str | None], g.cookies_to_set)


def _remember_waiting() -> None:
    """Let the browser remember the application's request that it saw last (``/welcome``)."""
    interaction: Interaction | None = g.get("interaction")
    if interaction is None or interaction.client_id is None:
        return
    before = request.cookies.get(_name("waiting"))
    if interaction.completed_at is None and before != interaction.id:
        cookies_to_set()["waiting"] = interaction.id


def _set_cookies(response: Response) -> Response:
    secure = settings.current().secure
    _remember_waiting()
    if g.get("person_left") and "Clear-Site-Data" not in response.headers:
        response.headers["Clear-Site-Data"] = '"cache"'  # what « back » would show is gone
    lives: dict[str, int] = {
        "device": int(devices.REMEMBERED.total_seconds()),
        "stay": schools.MOST_DAYS * 24 * 3600,
        "waiting": int(settings.current().interaction_lifetime.total_seconds()),
    }
    for kind, value in g.get("cookies_to_set", {}).items():
        response.set_cookie(
            _name(kind),
            value or "",
            max_age=lives.get(kind) if value else 0,
            secure=secure,
            httponly=True,
            samesite="Lax",
            path="/",
        )
    return response


def _name(kind: str) -> str:
    return f"__Host-idp_{kind}" if settings.current().secure else f"idp_{kind}"


class _BrowserCookie(SecureCookieSessionInterface):
    """Flask's own, less the work of making a verifier for requests that bring no cookie.

    Applications bring none to the token and UserInfo endpoints, which answer most requests.
    """

    def open_session(self, app: Flask, request: Request) -> SecureCookieSession | None:
        if self.get_cookie_name(app) not in request.cookies:
            return self.session_class()
        return super().open_session(app, request)
