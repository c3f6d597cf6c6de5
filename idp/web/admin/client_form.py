"""The form of an application: its fields from and to RFC 7591 metadata."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from flask import request

from idp.clients import keys, registration, uris
from idp.clients.metadata import DEFAULT_CHILD_FIELDS, checked
from idp.database import opaque_id
from idp.desk.applications.service import Application
from idp.errors import Invalid
from idp.web.admin import client_words
from idp.web.forms import Form

LINES: Final = ("redirect_uris", "post_logout_redirect_uris", "origins", "resources")
PAGES: Final = (
    *("initiate_login_uri", "client_uri", "logo_uri", "policy_uri", "tos_uri"),
    *("jwks_uri", "sector_identifier_uri"),
)
PICKED: Final = (
    *("child_claim_profile", "id_token_signed_response_alg", "email_claim"),
    *("token_endpoint_auth_audience", "profile"),
)
CHOICES: Final = ("kind", "method", "acr", *PICKED)
SWITCHES: Final = ("first_party", "require_pkce", "allow_popups", "omit_iss")
MANY: Final = ("schools", "scope", "child_fields", "id_token_claims", "grant_types")
TEXTS: Final = (
    *("client_name", "default_max_age", "jwks", "client_id", "version"),
    *LINES,
    *PAGES,
    *CHOICES,
    *SWITCHES,
)
USUAL_GRANTS: Final = ("authorization_code", "implicit", "refresh_token")
MOST: Final = 2000  # schools of one application
_CLIENT_ID: Final = re.compile(r"app_[A-Za-z0-9_-]{22}", re.ASCII)
_FIELD_OF: Final = {
    "application_type": "kind",
    "token_endpoint_auth_method": "method",
    "default_acr_values": "acr",
}
_PUBLIC: Final = "none"


@dataclass
class ClientForm(Form):
    """What was typed about an application. ``chosen``: the boxes that are ticked, by field."""

    chosen: dict[str, list[str]] = field(default_factory=dict)
    registered: Mapping[str, Any] = field(default_factory=dict)
    """The present registration; empty for a new application."""
    jwks: dict[str, Any] | None = None
    """The public keys that came with the form."""

    def shown(self, name: str) -> str:
        """What was typed, lines and all, as it may stand in the page again."""
        kept = self.values.get(name, "")
        return "".join(each for each in kept if each.isprintable() or each == "\n")

    @property
    def client_id(self) -> str:
        """The id that the form was made with, or a new one: sent twice, it registers once."""
        typed = self.values.get("client_id", "")
        return typed if _CLIENT_ID.fullmatch(typed) else opaque_id("app")()

    @property
    def version(self) -> int:
        """The version that the form was filled from; one that never was where it is missing."""
        typed = self.values["version"]
        return int(typed) if typed.isascii() and typed.isdigit() and len(typed) < 10 else -1

    def document(self) -> dict[str, Any]:
        """The metadata that this form asks for; what it does not show stays as registered."""
        lists = {name: _lines(self[name]) for name in LINES}
        if self["kind"] == "browser":
            # Its requests come from where it was loaded (CORS): from where it is sent back to
            lists["origins"] = lists["origins"] or _origins(lists["redirect_uris"])
        return {
            **self.registered,
            "client_name": self["client_name"].strip() or None,
            **lists,
            **{name: self[name].strip() or None for name in PAGES},
            **{name: self[name] == "on" for name in SWITCHES},
            "application_type": "native" if self["kind"] == "native" else "web",
            "token_endpoint_auth_method": self["method"] if self["kind"] == "web" else _PUBLIC,
            "scope": " ".join(["openid", *self.chosen["scope"]]),
            "child_fields": self._same_or("child_fields", ["sub", *self.chosen["child_fields"]]),
            "grant_types": self._grant_types(lists["redirect_uris"]),
            "id_token_claims": self._same_or("id_token_claims", self.chosen["id_token_claims"]),
            # A form from before a field was there does not change what is registered
            **{name: self[name] or self.registered.get(name) for name in PICKED},
            "default_max_age": _seconds(self["default_max_age"]),
            "default_acr_values": self["acr"].split() or None,
            "jwks": self.jwks or (None if self["jwks_uri"] else self.registered.get("jwks")),
        }

    def read_keys(self) -> None:
        """Take the public keys out of what was pasted, or else of the file.

        Nothing else of it is kept, not even to be shown again: it may be private.
        """
        file = request.files.get("jwks_file")
        sent = file.read(keys.LONGEST + 1).decode("utf-8", "replace") if file else ""
        text = self.values["jwks"].strip() or sent.strip()
        self.values["jwks"] = ""
        if not text:
            return
        try:
            self.jwks = keys.public_key_set(text)
        except Invalid as unusable:
            self.refuse(unusable)
        else:
            self.values["jwks"] = json.dumps(self.jwks, indent=1)

    def examine(self) -> None:
        """Note everything that is wrong with it, each thing at its field."""
        try:
            registration.examined(self.document(), self.chosen["schools"])
        except Invalid as problem:
            self.refuse(problem)

    def refuse(self, problem: Invalid) -> None:
        """Note at its field what is wrong, and whatever else is."""
        for each in (problem, *problem.others):
            name = _FIELD_OF.get(each.field, each.field)
            self.problem(name, client_words.problem(each, self.shown(name)))

    def _grant_types(self, redirect_uris: list[str]) -> list[str]:
        """What the boxes add to the usual ones; who has no redirect URI gets no codes by it."""
        more = self.chosen["grant_types"]
        before: list[str] = list(self.registered.get("grant_types", USUAL_GRANTS))
        usual = [each for each in before if each in USUAL_GRANTS]
        if redirect_uris or not more:
            usual = list(dict.fromkeys(["authorization_code", *usual]))
        else:
            usual = [each for each in usual if each != "authorization_code"]
        return self._same_or("grant_types", [*usual, *more])

    def _same_or(self, name: str, wanted: list[str]) -> list[str]:
        """The registered list where it holds the same: its order may mean something."""
        before: list[str] = list(self.registered.get(name, []))
        return before if set(before) == set(wanted) else wanted


def read(application: Application | None) -> ClientForm:
    """The form that was sent, for a new application or for this one."""
    typed = Form.read(*TEXTS).values
    if typed["kind"] not in {"web", "browser", "native"}:
        typed["kind"] = "web"
    chosen = {name: request.form.getlist(name)[:MOST] for name in MANY}
    registered = application.client.metadata_ if application else {}
    form = ClientForm(typed, chosen=chosen, registered=registered)
    form.read_keys()
    return form


def new() -> ClientForm:
    """An empty form: with a name, a school and an address it is complete."""
    complete = checked({"client_name": "-", "redirect_uris": ["https://example.invalid"]})
    return _filled({**complete, **_NEW})


def form_of(application: Application) -> ClientForm:
    """The form of a registered application."""
    client = application.client
    form = _filled(client.metadata_)
    form.registered = client.metadata_
    form.values |= {"client_id": client.id, "version": str(client.version)}
    form.chosen["schools"] = [school.id for school in application.schools]
    return form


_NEW: Final = {
    "client_name": "",
    "redirect_uris": [],
    "scope": "openid child",
    "child_fields": list(DEFAULT_CHILD_FIELDS),
}


def _filled(document: Mapping[str, Any]) -> ClientForm:
    method = document["token_endpoint_auth_method"]
    public = "native" if document["application_type"] == "native" else "browser"
    seconds = document.get("default_max_age")
    values = {
        "client_name": document["client_name"],
        "kind": public if method == _PUBLIC else "web",
        "method": "client_secret_basic" if method == _PUBLIC else method,
        "default_max_age": "" if seconds is None else str(seconds),
        "acr": " ".join(document.get("default_acr_values", [])),
        "jwks": "",
        "client_id": "",
        "version": "0",
        **{name: "\n".join(document.get(name, [])) for name in LINES},
        **{name: document.get(name) or "" for name in PAGES},
        **{name: "on" if document.get(name) else "" for name in SWITCHES},
        "email_claim": "real",  # in registrations from before this field
        "token_endpoint_auth_audience": "issuer",  # likewise
        "profile": "default",  # likewise
        **{name: document[name] for name in PICKED if name in document},
    }
    chosen = {
        "schools": [],
        "scope": document["scope"].split(),
        "child_fields": list(document["child_fields"]),
        "id_token_claims": list(document.get("id_token_claims", [])),
        "grant_types": [each for each in document["grant_types"] if each not in USUAL_GRANTS],
    }
    return ClientForm(values, chosen=chosen)


def _lines(text: str) -> list[str]:
    return list(dict.fromkeys(line.strip() for line in text.splitlines() if line.strip()))


def _seconds(text: str) -> int | None:
    typed = text.strip()
    if not typed:
        return None
    return int(typed) if typed.isascii() and typed.isdigit() and len(typed) < 10 else -1


def _origins(redirects: list[str]) -> list[str]:
    fine = [uri for uri in redirects if uris.problem_of_page(uri) is None]
    return list(dict.fromkeys(uris.origin(uri) for uri in fine))
