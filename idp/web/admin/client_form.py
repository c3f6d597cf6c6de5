"""The form of an application: what its page shows, what was typed, and what is wrong with it."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from flask import request

from idp import settings
from idp.clients import keys, registration
from idp.clients.metadata import GUARDIANSHIP_ENDED
from idp.database import opaque_id
from idp.desk.applications.service import Application
from idp.errors import Invalid
from idp.people import schools
from idp.web.admin import client_document, client_problems
from idp.web.admin.client_choices import Choice
from idp.web.admin.client_controls import Control, Field, Group
from idp.web.admin.client_fields import FIELDS, FORM_NAMES, GROUPS, names_with
from idp.web.forms import Form

LINES: Final = names_with(Control.LINES)
SWITCHES: Final = names_with(Control.SWITCH)
MANY: Final = names_with(Control.SEVERAL, Control.SCHOOLS)
PLAIN: Final = names_with(Control.LINE, Control.ADDRESS, Control.ONE, Control.ALGORITHM)
TEXTS: Final = (
    *("client_id", "version", "shows"),
    *(name for name in FIELDS if name not in MANY),
)
MOST: Final = 2000  # schools of one application
_CLIENT_ID: Final = re.compile(r"app_[A-Za-z0-9_-]{22}", re.ASCII)


@dataclass
class ClientForm(Form):
    """What was typed about an application. ``chosen``: the boxes that are ticked, by field."""

    chosen: dict[str, list[str]] = field(default_factory=dict)
    registered: Mapping[str, Any] = field(default_factory=dict)
    """The present registration; empty for a new application."""
    jwks: dict[str, Any] | None = None
    """The public keys that came with the form."""
    sent: frozenset[str] = frozenset()
    """The fields that were on the page from which it came."""

    def shown(self, name: str) -> str:
        """What was typed, lines and all, as it may stand in the page again."""
        kept = self.values.get(name, "")
        return "".join(each for each in kept if each.isprintable() or each == "\n")

    @property
    def groups(self) -> list[tuple[Group, list[Field]]]:
        """The parts of this form, each with the fields that it has for this application."""
        return [(each, [f for f in each.fields if self._has(f.name)]) for each in GROUPS]

    def _has(self, name: str) -> bool:
        if name == "subject_type":
            return not self.registered  # it stays: accounts elsewhere hang on it
        if name == "response_types":
            registered = {word for each in self.registered.get(name, []) for word in each.split()}
            return settings.current().front_channel_id_tokens or "id_token" in registered
        return True

    @property
    def boxes(self) -> str:
        """The fields of which a browser sends nothing where nothing is ticked."""
        return " ".join(name for name in (*SWITCHES, *MANY) if self._has(name))

    def choices(self, of: Field) -> list[Choice]:
        """What can be chosen there; what stands there stays to be chosen."""
        if of.control == Control.SCHOOLS:
            return [(school.id, school.name, "") for school in schools.list_schools()]
        known, typed = of.choices(), self.values.get(of.name, "")
        if of.control == Control.SEVERAL or typed in {value for value, *_words in known}:
            return known
        return [*known, (typed, typed, "")]

    def is_open(self, group: Group) -> bool:
        """Whether something in this part is wrong."""
        return any(each.name in self.problems for each in group.fields)

    def unusual(self, group: Group) -> int:
        """In how many fields of this part something else stands than in a new form."""
        plain = new()
        return sum(
            self.values.get(each.name) != plain.values.get(each.name)
            or self.chosen.get(each.name) != plain.chosen.get(each.name)
            or (each.control == Control.KEYS and "jwks" in self.registered)
            for each in group.fields
        )

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
        """The metadata that this form asks for."""
        return client_document.document_of(self, self.chosen, self.registered, self.jwks, self.sent)

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
            name = FORM_NAMES.get(each.field, each.field)
            self.problem(name, client_problems.problem(each, self.shown(name)))


def read(application: Application | None) -> ClientForm:
    """The form that was sent, for a new application or for this one."""
    typed = Form.read(*TEXTS).values
    registered = application.client.metadata_ if application else {}
    if typed["kind"] not in {"web", "browser", "native"}:
        typed["kind"] = client_document.kind_of(registered) if registered else "web"
    chosen = {name: request.form.getlist(name)[:MOST] for name in MANY}
    sent = frozenset({*request.form, *typed["shows"].split()})
    form = ClientForm(typed, chosen=chosen, registered=registered, sent=sent)
    form.read_keys()
    return form


def new() -> ClientForm:
    """An empty form: with a name, a school and an address it is complete."""
    return _filled(client_document.usual())


def form_of(application: Application) -> ClientForm:
    """The form of a registered application."""
    client = application.client
    # In registrations from before a field its default stands
    form = _filled({**client_document.usual(), **client.metadata_})
    form.registered = client.metadata_
    form.values |= {"client_id": client.id, "version": str(client.version)}
    form.chosen["schools"] = [school.id for school in application.schools]
    return form


def _filled(document: Mapping[str, Any]) -> ClientForm:
    method = document["token_endpoint_auth_method"]
    seconds = document.get("default_max_age")
    values = {
        **{name: document.get(name) or "" for name in PLAIN},
        **{name: "\n".join(document.get(name, [])) for name in LINES},
        **{name: "on" if document.get(name) else "" for name in SWITCHES},
        "kind": client_document.kind_of(document),
        "method": "client_secret_basic" if method == client_document.PUBLIC else method,
        "default_max_age": "" if seconds is None else str(seconds),
        "acr": " ".join(document.get("default_acr_values", [])),
        "jwks": "",
        "client_id": "",
        "version": "0",
    }
    usual_grants = client_document.USUAL_GRANTS
    chosen = {name: list(document.get(name, [])) for name in MANY} | {
        "scope": document["scope"].split(),
        "security_events": list(document.get("security_events", [GUARDIANSHIP_ENDED])),
        "grant_types": [each for each in document["grant_types"] if each not in usual_grants],
    }
    return ClientForm(values, chosen=chosen)
