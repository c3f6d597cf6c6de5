"""The ways to be answered that the plans Basic, Form Post Basic, Hybrid and Implicit go through."""

from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from tests.relying_party import World, claims_of, form_of, leads_to, world


@dataclass(frozen=True)
class Flow:
    """A response type, and where its answers stand."""

    response_type: str
    mode: str | None = None

    @property
    def has_code(self) -> bool:
        return "code" in self.response_type.split()

    @property
    def where(self) -> str:
        """The query, the fragment or a form."""
        return self.mode or ("query" if self.response_type == "code" else "fragment")


FLOWS = {
    "basic": Flow("code"),
    "form post": Flow("code", "form_post"),
    "hybrid": Flow("code id_token"),
    "implicit": Flow("id_token"),
}


@dataclass
class Party:
    """An application that asks in one of these ways."""

    flow: Flow
    there: World

    def request(self, **changes: str | None) -> dict[str, str | None]:
        asked = {"response_type": self.flow.response_type, "response_mode": self.flow.mode}
        return {**asked, "nonce": "n-0S6", **changes}

    def ask(self, **changes: str | None) -> TestResponse:
        return self.there.ask(**self.request(**changes))

    def fields(self, page: TestResponse) -> dict[str, str]:
        """The fields of an answer, which stand where they should and nowhere else."""
        if self.flow.where == "form_post":
            assert not leads_to(page)
            return form_of(page.text, "form-post")[1]
        parts = urlsplit(leads_to(page))
        assert parts.scheme, f"still with us: {page.status} {page.text[:2000]}"
        in_query, in_fragment = dict(parse_qsl(parts.query)), dict(parse_qsl(parts.fragment))
        assert not (in_fragment if self.flow.where == "query" else in_query)
        return in_query or in_fragment

    def answer(self, **changes: str | None) -> dict[str, str]:
        return self.fields(self.ask(**changes))

    def id_token(self, fields: dict[str, str]) -> str:
        """The one of the answer, or of the token endpoint."""
        return fields.get("id_token") or str(self.there.tokens_of(fields)["id_token"])

    def claims(self, **changes: str | None) -> dict[str, Any]:
        """Of the ID token, whose signature is verified."""
        return claims_of(self.there.http, self.id_token(self.answer(**changes)))

    def told(self, **changes: str | None) -> dict[str, Any]:
        """What is told of the person: by UserInfo, or by the ID token where no code comes."""
        fields = self.answer(**changes)
        if not self.flow.has_code:
            return claims_of(self.there.http, fields["id_token"])
        token = self.there.tokens_of(fields)["access_token"]
        return dict(self.there.portal.userinfo(self.there.http, token).json or {})


def party(client: FlaskClient, flow: Flow, *, signed_in: bool = True, **metadata: Any) -> Party:
    """Registered for that response type, and for the code where it gives one."""
    types = {flow.response_type, *(["code"] if flow.has_code else [])}
    registered = {"response_types": sorted(types), **metadata}
    return Party(flow, world(client, signed_in=signed_in, **registered))
