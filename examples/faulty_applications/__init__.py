"""A small school application that makes one mistake: the one that it is started with.

``idp certify`` is tested with it, and a developer can see there what a mistake looks like. It
speaks the protocol by hand, since libraries don't make most of these mistakes. Don't copy it.
"""

import secrets
import time
from collections.abc import Callable
from typing import Any

from flask import Flask, redirect, request, session
from markupsafe import escape
from werkzeug.wrappers import Response

from examples.faulty_applications.notices import Notices
from examples.faulty_applications.provider import Provider, Refused
from examples.faulty_applications.settings import FAULTS, Settings, check_of

__all__ = ["FAULTS", "Settings", "check_of", "create_app"]

Page = Response | str | tuple[str, int]


def create_app(settings: Settings) -> Flask:
    """The application with its one mistake; with none where ``settings.fault`` is empty."""
    app = Flask(__name__)
    app.secret_key = settings.app_secret
    app.extensions["application"] = application = Application(settings)
    application.join(app)
    return app


class Application:
    """Its pages. Users and visits are in memory: it is no longer-lived than a test."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.provider = Provider(settings)
        self.users: dict[str, dict[str, Any]] = {}
        self.visits: dict[str, dict[str, Any]] = {}
        self.notices = Notices(self.provider, self.close)

    def join(self, app: Flask) -> None:
        """Give the application its addresses."""
        app.get("/")(self.home)
        app.get("/login")(self.login)
        app.get("/switch")(self.switch)
        app.get("/callback")(self.callback)
        app.post("/logout")(self.logout)
        app.post("/logout-token")(self.notices.logout_token)
        app.post("/security-events")(self.notices.security_event)

    def has(self, fault: str) -> bool:
        """Whether this is the mistake that it makes."""
        return self.settings.fault == fault

    def home(self) -> Page:
        """The page, or a link to sign in."""
        visit = self.visits.get(session.get("visit", ""))
        if visit is None or not self.still_a_guardian(visit):
            return '<a href="/login">Sign in</a>'
        user = self.users[visit["user"]]
        child = user["child"] if self.has("child_again") else visit["child"]
        about = f" This is about {escape(child['given_name'])}." if child else ""
        return (
            f"<p>Hello {escape(user['name'])}.{about}</p>"
            '<a href="/switch">Another child</a>'
            '<form method="post" action="/logout"><button>Sign out</button></form>'
        )

    def still_a_guardian(self, visit: dict[str, Any]) -> bool:
        """Asks at each page, so that the end of a guardianship closes it at once."""
        if self.has("ended"):
            return True
        over = visit["expires_at"] < time.time()
        if over or self.provider.userinfo(visit["access_token"]) is None:
            self.visits.pop(session.pop("visit"), None)
            if self.has("sibling"):
                self.close(lambda other: bool(other["sub"] == visit["sub"]))
            return False
        return True

    def close(self, which: Callable[[dict[str, Any]], bool]) -> None:
        """End the visits of which this is so."""
        for name, visit in list(self.visits.items()):
            if which(visit):
                self.visits.pop(name, None)

    def login(self) -> Page:
        """To the provider."""
        return self.go_to_provider()

    def switch(self) -> Page:
        """To the provider, for another child."""
        return self.go_to_provider(prompt="select_account")

    def go_to_provider(self, **more: str) -> Page:
        """Remembers each sign-in that was begun by its state."""
        pending = {
            "state": secrets.token_urlsafe(16),
            "nonce": secrets.token_urlsafe(16),
            "verifier": secrets.token_urlsafe(48),
        }
        others = {} if self.has("second_tab") else session.get("pending", {})
        session["pending"] = {**others, pending["state"]: pending}
        return redirect(self.provider.authorization_address(pending, **more))

    def callback(self) -> Page:
        """The provider's answer."""
        if self.has("cancelled") and "error" in request.args:
            raise KeyError(request.args["error"])
        waiting = session.get("pending", {})
        pending = waiting.pop(request.args.get("state", ""), None)
        if pending is None and self.has("state") and waiting:
            pending = list(waiting.values())[-1]
        session["pending"] = waiting
        if pending is None or "code" not in request.args:
            return self.not_signed_in(request.args.get("error", "this sign-in was not begun here"))
        try:
            claims, tokens, person = self.provider.redeem(request.args["code"], pending)
        except Refused as refused:
            return self.not_signed_in(str(refused))
        self.begin_visit(claims, tokens, person)
        return redirect("/")

    def begin_visit(
        self, claims: dict[str, Any], tokens: dict[str, Any], person: dict[str, Any]
    ) -> None:
        """Who this is, and which child it is about."""
        child = None if self.has("child") else claims.get("child")
        key = self.key_of(claims, person)
        user = self.users.setdefault(key, {"child": child})
        user["name"] = person.get("name", claims["sub"])
        before = self.visits.get(session.get("visit", ""))
        if before and self.has("switch"):
            child = before["child"]
        session["visit"] = secrets.token_urlsafe(16)
        self.visits[session["visit"]] = {
            "user": key,
            "sub": claims["sub"],
            "sid": claims["sid"],
            "child": child,
            "id_token": tokens["id_token"],
            "access_token": tokens["access_token"],
            "expires_at": time.time() + tokens["expires_in"],
        }

    def key_of(self, claims: dict[str, Any], person: dict[str, Any]) -> str:
        """By what the application knows a parent again."""
        if self.has("email_key") and person.get("email"):
            return str(person["email"])
        if self.has("child_key") and "child" in claims:
            return str(claims["child"]["sub"])
        return str(claims["sub"])

    def logout(self) -> Page:
        """Out here, and at the provider."""
        visit = self.visits.pop(session.pop("visit", ""), None)
        if visit is None or self.has("sign_out"):
            return redirect("/")
        return redirect(self.provider.end_session_address(visit["id_token"]))

    def not_signed_in(self, why: str) -> Page:
        """A page that leads on."""
        if self.has("dead_end"):
            return "Bad Request", 400
        return f'<p>Not signed in ({escape(why)}).</p><a href="/login">Sign in</a>', 400
