"""A registered client, as Authlib asks about it."""

from typing import Any, cast

from authlib.oauth2.rfc6749 import ClientMixin

from idp import correlation
from idp.clients import client_secrets, registration, uris
from idp.clients.metadata import normal_response_type
from idp.clients.models import ClientRow


class OAuthClient(ClientMixin):  # type: ignore[misc]
    """Answers Authlib's questions from the client's metadata."""

    def __init__(self, record: ClientRow) -> None:
        self.record = record

    def __repr__(self) -> str:
        return f"<client {self.record.id}>"

    @property
    def client_metadata(self) -> dict[str, Any]:
        return self.record.metadata_

    @property
    def native(self) -> bool:
        return bool(self.client_metadata["application_type"] == "native")

    @property
    def public(self) -> bool:
        """Whether it proves itself by nothing (RFC 6749 §2.1)."""
        return self.check_endpoint_auth_method("none", "token")

    def get_client_id(self) -> str:
        return self.record.id

    def get_default_redirect_uri(self) -> str | None:
        # OpenID Connect Core §3.1.2.1: redirect_uri is REQUIRED; nothing is guessed.
        return None

    def get_allowed_scope(self, scope: str | None) -> str:
        # Core §3.1.2.1: scope values that are not understood should be ignored; O18: what
        # is asked is cut down to what is registered.
        allowed = self.client_metadata["scope"].split()
        return " ".join(each for each in allowed if each in (scope or "").split())

    def check_redirect_uri(self, redirect_uri: str) -> bool:
        return any(
            uris.matches(registered, redirect_uri, native=self.native)
            for registered in self.client_metadata["redirect_uris"]
        )

    def check_client_secret(self, client_secret: str) -> bool:
        proved = client_secrets.is_secret(self.record, client_secret)
        if proved:
            client_secrets.renew_hash(self.record, client_secret)
        return proved

    def check_endpoint_auth_method(self, method: str, endpoint: str) -> bool:
        # The registered method and no other, on every endpoint (security rule O10).
        return bool(self.client_metadata["token_endpoint_auth_method"] == method)

    def check_response_type(self, response_type: str) -> bool:
        wanted = normal_response_type(response_type)
        # RFC 7591 §2.1; registrations from before may name a code that they don't redeem
        redeems = "code" not in wanted.split() or self.check_grant_type("authorization_code")
        return redeems and wanted in self.client_metadata["response_types"]

    def check_grant_type(self, grant_type: str) -> bool:
        return grant_type in self.client_metadata["grant_types"]


def query_client(client_id: str) -> OAuthClient | None:
    """The live client of this id, for Authlib."""
    record = registration.find(client_id)
    return OAuthClient(record) if record is not None else None


def note_asking(client: OAuthClient) -> None:
    """Say whose request this is: of a client that has proved itself, or whose token came."""
    correlation.current().client = client


def asking() -> OAuthClient | None:
    """Whose request this is, where that is known."""
    return cast(OAuthClient | None, correlation.current().client)
