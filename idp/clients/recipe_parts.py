"""What recipes are made of: blocks to paste, notes about the registration, and its values."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from string import Template
from typing import Any, Final
from urllib.parse import urlsplit

PLACEHOLDER: Final = "CLIENT_SECRET"
ALL: Final = frozenset({"client_secret_basic", "client_secret_post", "none"})


@dataclass(frozen=True)
class Block:
    """What goes to one place: a text for a file or terminal, or values for the fields of a form."""

    where: str
    text: str = ""
    rows: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class Note:
    """What has to change in the registration for this: a code, and the value that is meant."""

    code: str
    """``callback``, ``method``, ``key``, ``pkce``, ``iss``, ``flat``, ``scopes``, ``claims``,
    ``keyed``, ``needed`` or ``logout``."""
    value: str = ""


@dataclass(frozen=True)
class Recipe:
    """The settings of one kind of application."""

    key: str
    title: str
    blocks: tuple[Block, ...]
    notes: tuple[Note, ...]
    run: str = ""
    """The software with which our tests run these settings."""
    read: str = ""
    """The software with whose source these settings were compared, where it was not run."""
    keyed: str = ""
    """What this software does with e-mail addresses: ``person``, ``needed`` or ``ours``."""
    stays_signed_in: bool = False
    """Whether signing out there leaves the guardian signed in here."""


@dataclass(frozen=True)
class Kind:
    """One kind of application: what it needs, and the texts that it is given."""

    key: str
    title: str
    blocks: Callable[["Values"], tuple[Block, ...]]
    methods: frozenset[str] = ALL
    callback: str = ""
    """The end of the address to which this software wants the answer, where it is fixed."""
    pkce: bool = True
    flat: bool = False
    scopes: tuple[str, ...] = ()
    claims: tuple[str, ...] = ()
    """What it looks for in the ID token and nowhere else."""
    logout: bool = False
    """Whether its settings name an address after signing out."""
    run: str = ""
    read: str = ""
    keyed: str = ""
    stays_signed_in: bool = False
    omits_iss: bool = False
    """Whether it stumbles over ``iss`` in an answer (RFC 9207)."""


@dataclass(frozen=True)
class Values:
    """The values of one client."""

    client_id: str
    metadata: Mapping[str, Any]
    provider: Mapping[str, Any]
    secret: str

    @property
    def redirect_uri(self) -> str:
        """The first of the redirect URIs."""
        return str(self.metadata["redirect_uris"][0])

    @property
    def method(self) -> str:
        """How the client proves itself."""
        return str(self.metadata["token_endpoint_auth_method"])

    @property
    def home(self) -> str:
        """Where a sign-out leads: as it is registered, or the site of the redirect URI."""
        registered = self.metadata["post_logout_redirect_uris"]
        return str(registered[0]) if registered else site_of(self.redirect_uri)

    def child_claims(self, *wanted: tuple[str, str]) -> tuple[tuple[str, str], ...]:
        """The flat claims of the child that this client gets, of those wanted: each by the name
        of its field, with where it goes.
        """
        if "child" not in self.metadata["scope"].split():
            return ()
        fields = self.metadata["child_fields"]
        return tuple((f"child_{f.replace('.', '_')}", to) for f, to in wanted if f in fields)

    def fill(self, text: str, quoted: Callable[[str], str]) -> str:
        """The text with each value as ``quoted`` writes it."""
        issuer = self.provider["issuer"]
        values = {
            "ISSUER": issuer,
            "ISSUER_HOST": urlsplit(issuer).netloc,
            "DISCOVERY": f"{issuer}/.well-known/openid-configuration",
            "AUTHORIZATION": self.provider["authorization_endpoint"],
            "TOKEN": self.provider["token_endpoint"],
            "USERINFO": self.provider["userinfo_endpoint"],
            "JWKS": self.provider["jwks_uri"],
            "LOGOUT": self.provider["end_session_endpoint"],
            "CLIENT_ID": self.client_id,
            "SECRET": self.secret,
            "SCOPE": self.metadata["scope"],
            "METHOD": self.method,
            "ALGORITHM": self.metadata["id_token_signed_response_alg"],
            "REDIRECT_URI": self.redirect_uri,
            "CALLBACK": urlsplit(self.redirect_uri).path or "/",
            "HOME": self.home,
        }
        filled = {name: quoted(value) for name, value in values.items()}
        filled["BASIC"] = str(self.method == "client_secret_basic")  # as Python says it
        return _Template(text).substitute(filled, AUTHENTICATION=_AUTHENTICATION[self.method])


class _Template(Template):
    delimiter = "§"


_AUTHENTICATION: Final = {
    "client_secret_basic": "client.ClientSecretBasic(process.env.CLIENT_SECRET)",
    "client_secret_post": "client.ClientSecretPost(process.env.CLIENT_SECRET)",
    "private_key_jwt": "client.PrivateKeyJwt(privateKey)",
    "none": "client.None()",
}
"""How openid-client 6 proves the client, by the method that is registered."""

_INSIDE: Final = ("/wp-admin/", "/index.php/apps/", "/apps/", "/admin/", "/oauth2/", "/oidc/")
"""Where the part of an address begins that is the software's own, and not the site's."""


def site_of(redirect_uri: str) -> str:
    """The front page of the site that a redirect URI belongs to."""
    parts = urlsplit(redirect_uri)
    path = next((parts.path.split(each)[0] for each in _INSIDE if each in parts.path), "")
    return f"{parts.scheme}://{parts.netloc}{path}/" if parts.netloc else redirect_uri


def php(value: str) -> str:
    """A text of PHP, in which nothing is expanded."""
    return "'" + value.replace("\\", "\\\\").replace("'", "\\'") + "'"


def dotenv(value: str) -> str:
    """A value of vlucas/phpdotenv: within single quotes not even a dollar sign is expanded."""
    return php(value)
