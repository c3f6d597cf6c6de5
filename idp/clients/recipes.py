"""Settings that an application's administrator can paste, with the values of one client.

Each value is quoted for the language it stands in. The secret is there once, after it was made;
at any other time a placeholder stands in its place.
"""

import json
import shlex
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from string import Template
from typing import Any, Final
from urllib.parse import urlsplit

from idp.clients import recipe_programs as programs

PLACEHOLDER: Final = "CLIENT_SECRET"
_ALL: Final = frozenset({"client_secret_basic", "client_secret_post", "none"})
_POST: Final = frozenset({"client_secret_post"})


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
    """``callback``, ``method``, ``key``, ``pkce``, ``flat`` or ``scopes``."""
    value: str = ""


@dataclass(frozen=True)
class Recipe:
    """The settings of one kind of application."""

    key: str
    title: str
    blocks: tuple[Block, ...]
    notes: tuple[Note, ...]


@dataclass(frozen=True)
class _Kind:
    key: str
    title: str
    blocks: Callable[["_Values"], tuple[Block, ...]]
    methods: frozenset[str] = _ALL
    callback: str = ""
    """The end of the address to which this software wants the answer, where it is fixed."""
    pkce: bool = True
    flat: bool = False
    scopes: tuple[str, ...] = ()


@dataclass(frozen=True)
class _Values:
    client_id: str
    metadata: Mapping[str, Any]
    provider: Mapping[str, Any]
    secret: str

    @property
    def redirect_uri(self) -> str:
        return str(self.metadata["redirect_uris"][0])

    @property
    def method(self) -> str:
        return str(self.metadata["token_endpoint_auth_method"])

    def fill(self, text: str, quoted: Callable[[str], str]) -> str:
        """The text with each value as ``quoted`` writes it."""
        values = {
            "ISSUER": self.provider["issuer"],
            "DISCOVERY": f"{self.provider['issuer']}/.well-known/openid-configuration",
            "AUTHORIZATION": self.provider["authorization_endpoint"],
            "TOKEN": self.provider["token_endpoint"],
            "USERINFO": self.provider["userinfo_endpoint"],
            "LOGOUT": self.provider["end_session_endpoint"],
            "CLIENT_ID": self.client_id,
            "SECRET": self.secret,
            "SCOPE": self.metadata["scope"],
            "METHOD": self.method,
            "REDIRECT_URI": self.redirect_uri,
            "CALLBACK": urlsplit(self.redirect_uri).path or "/",
        }
        filled = {name: quoted(value) for name, value in values.items()}
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


def of(
    client_id: str,
    metadata: Mapping[str, Any],
    provider: Mapping[str, Any],
    secret: str | None = None,
) -> list[Recipe]:
    """The settings for each kind of application. ``provider``: our discovery document."""
    values = _Values(client_id, metadata, provider, secret or PLACEHOLDER)
    return [
        Recipe(kind.key, kind.title, kind.blocks(values), _notes(kind, metadata)) for kind in _KINDS
    ]


def _notes(kind: _Kind, metadata: Mapping[str, Any]) -> tuple[Note, ...]:
    notes = []
    method = metadata["token_endpoint_auth_method"]
    if kind.callback and not any(u.endswith(kind.callback) for u in metadata["redirect_uris"]):
        notes.append(Note("callback", kind.callback))
    if method == "private_key_jwt":
        notes.append(Note("key"))
    elif method not in kind.methods:
        notes.append(Note("method", " ".join(sorted(kind.methods - {"none"}))))
    if metadata["require_pkce"] and not kind.pkce:
        notes.append(Note("pkce"))
    scopes = metadata["scope"].split()
    if kind.flat and "child" in scopes and metadata["child_claim_profile"] != "flat":
        notes.append(Note("flat"))
    if missing := [scope for scope in kind.scopes if scope not in scopes]:
        notes.append(Note("scopes", " ".join(missing)))
    return tuple(notes)


def _php(value: str) -> str:
    return "'" + value.replace("\\", "\\\\").replace("'", "\\'") + "'"


def _dotenv(value: str) -> str:
    # vlucas/phpdotenv: within single quotes nothing is expanded, not even a dollar sign
    return "'" + value.replace("\\", "\\\\").replace("'", "\\'") + "'"


def _plain(values: _Values) -> tuple[Block, ...]:
    provider = values.provider
    secret = () if values.method in {"none", "private_key_jwt"} else (values.secret,)
    rows = [
        ("issuer", provider["issuer"]),
        ("discovery", f"{provider['issuer']}/.well-known/openid-configuration"),
        ("client_id", values.client_id),
        *(("client_secret", each) for each in secret),
        ("scope", values.metadata["scope"]),
        *(("redirect_uri", each) for each in values.metadata["redirect_uris"]),
        ("token_endpoint_auth_method", values.method),
        *((name, provider[name]) for name in _ENDPOINTS),
    ]
    return (Block("", rows=tuple(rows)),)


_ENDPOINTS: Final = (
    "authorization_endpoint",
    "token_endpoint",
    "userinfo_endpoint",
    "jwks_uri",
    "end_session_endpoint",
)


def _flask(values: _Values) -> tuple[Block, ...]:
    return (
        Block("app.py", values.fill(programs.FLASK, json.dumps)),
        Block("sh", values.fill(programs.SHELL_FLASK, shlex.quote)),
    )


def _express(values: _Values) -> tuple[Block, ...]:
    return (
        Block("app.mjs", values.fill(programs.EXPRESS, json.dumps)),
        Block("sh", values.fill(programs.SHELL_EXPRESS, shlex.quote)),
    )


def _laravel(values: _Values) -> tuple[Block, ...]:
    return (
        Block("sh", programs.SHELL_LARAVEL),
        Block(".env", values.fill(programs.LARAVEL_ENV, _dotenv)),
        Block("config/services.php", programs.LARAVEL_SERVICES),
        Block("app/Providers/AppServiceProvider.php", programs.LARAVEL_PROVIDER),
        Block("routes/web.php", values.fill(programs.LARAVEL_ROUTES, _php)),
    )


def _moodle(values: _Values) -> tuple[Block, ...]:
    basic = "Yes" if values.method == "client_secret_basic" else "No"
    service = (
        ("Client ID", values.client_id),
        ("Client secret", values.secret),
        ("Authenticate token requests via HTTP headers", basic),
        ("Service base URL", values.provider["issuer"]),
        ("Scopes included in a login request.", values.metadata["scope"]),
    )
    mappings = [
        ("sub", "ID number"),
        ("given_name", "First name"),
        ("family_name", "Surname"),
        ("email", "Email address"),
    ]
    return (
        Block("Site administration > Server > OAuth 2 services > Custom", rows=service),
        Block("Configure user field mappings", rows=tuple(mappings)),
    )


def _nextcloud(values: _Values) -> tuple[Block, ...]:
    return (Block("sh", values.fill(programs.NEXTCLOUD, shlex.quote)),)


def _wordpress(values: _Values) -> tuple[Block, ...]:
    identity = (
        ("Identity Key", "sub"),
        ("Nickname Key", "preferred_username"),
        ("Email Formatting", "{email}"),
        ("Display Name Formatting", "{name}"),
        ("Identify with User Name", "No"),
    )
    return (
        Block("wp-config.php", values.fill(programs.WORDPRESS, _php)),
        Block("Settings > OpenID Connect Client", rows=identity),
    )


_NEEDED: Final = ("profile", "email")
_KINDS: Final = (
    _Kind("plain", "OpenID Connect", _plain),
    _Kind("flask", "Flask (Authlib)", _flask),
    _Kind("express", "Express (openid-client 6)", _express),
    _Kind("laravel", "Laravel (Socialite)", _laravel, _POST),
    _Kind(
        *("moodle", "Moodle", _moodle, _ALL - {"none"}),
        callback="/admin/oauth2callback.php",
        pkce=False,
        flat=True,
        scopes=_NEEDED,
    ),
    _Kind(
        *("nextcloud", "Nextcloud (user_oidc)", _nextcloud, _POST),
        callback="/apps/user_oidc/code",
        flat=True,
        scopes=_NEEDED,
    ),
    _Kind(
        *("wordpress", "WordPress (OpenID Connect Generic)", _wordpress, _POST),
        callback="/wp-admin/admin-ajax.php?action=openid-connect-authorize",
        pkce=False,
        scopes=_NEEDED,
    ),
)
