"""The application's registration at the test provider, learnt from what the application asks.

So that nobody registers a copy by hand: its own redirect URI, sign-out address and method of
client authentication are taken from its first request, as far as they are at its own address.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import urljoin

from flask import Flask
from werkzeug.wrappers import Request

from idp.clients import registration, uris
from idp.clients.metadata import CHILD_FIELDS, SCOPES
from idp.database import db

DEFAULTS: Final[dict[str, Any]] = {
    "client_name": "The application under test",
    "scope": " ".join(SCOPES),
    "first_party": True,
    "require_pkce": False,
    "child_fields": [name for name in CHILD_FIELDS if name != "sourced_id"],
}
"""What is not learnt: generous, so that what an application asks for, it gets."""


@dataclass
class Registration:
    """The one application of the test provider. ``registered``: metadata that stays as it is."""

    app: Flask
    registered: dict[str, Any]
    client_id: str
    give_secret: Callable[[], None]
    home: str = ""
    """The application's address."""
    told_at: dict[str, str] = field(default_factory=dict)
    """Where the application hears of what ends, by the name of the field."""
    metadata: dict[str, Any] = field(default_factory=dict)

    def begin(self, school_ids: Iterable[str]) -> None:
        """Register for these schools; in the caller's application context."""
        schools = list(school_ids)
        guesses = {
            "origins": [uris.origin(self.home)],
            "redirect_uris": [urljoin(self.home, "callback")],
            "post_logout_redirect_uris": [self.home, self.home.rstrip("/")],
        }
        self.metadata = {**DEFAULTS, **guesses, **self.told_at, **self.registered}
        if registration.find(self.client_id) is None:
            registration.register(self.metadata, school_ids=schools, client_id=self.client_id)
        else:
            registration.change(self.client_id, self.metadata, school_ids=schools)
        self._give_secret()

    def change(self, **metadata: Any) -> None:
        """Register otherwise."""
        self.metadata |= metadata
        with self.app.app_context():
            registration.change(self.client_id, self.metadata)
            self._give_secret()
            db.session.remove()

    def learn(self, endpoint: str, request: Request) -> None:
        """Look at a request before it is answered, and register what it asks for."""
        if endpoint == "authorize":
            self._add("redirect_uris", request.values.get("redirect_uri"))
        elif endpoint == "logout":
            self._add("post_logout_redirect_uris", request.values.get("post_logout_redirect_uri"))
        elif endpoint == "token" and (method := _method(request)):
            known = self.metadata.get("token_endpoint_auth_method", "client_secret_basic")
            if method != known and "token_endpoint_auth_method" not in self.registered:
                self.change(token_endpoint_auth_method=method)

    def _give_secret(self) -> None:
        method = self.metadata.get("token_endpoint_auth_method", "client_secret_basic")
        if method.startswith("client_secret_"):
            self.give_secret()

    def _add(self, name: str, address: str | None) -> None:
        """An address of the application's own, which may be registered."""
        known = self.metadata.get(name, [])
        if not address or address in known or name in self.registered:
            return
        own = uris.origin(address) == uris.origin(self.home)
        if own and uris.problem_of_redirect_uri(address, native=False) is None:
            self.change(**{name: [*known, address]})


def _method(request: Request) -> str | None:
    """How a request to the token endpoint proves itself, of what is learnt."""
    if request.headers.get("Authorization", "").lower().startswith("basic "):
        return "client_secret_basic"
    if request.form.get("client_secret"):
        return "client_secret_post"
    # RFC 6749 §3.2.1: an application that keeps no secret names itself
    public = request.form.get("client_id") and not request.form.get("client_assertion")
    return "none" if public else None
