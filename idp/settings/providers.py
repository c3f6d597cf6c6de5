"""The other providers that parents may sign in with: read from the environment, and judged.

``IDP_PROVIDERS`` names them in the order of their buttons; ``IDP_PROVIDER_<KEY>_…`` says the
rest. A provider of which nothing is said is not configured, and not shown.
"""

import re
from dataclasses import dataclass, field, fields, replace
from functools import partial
from ipaddress import ip_address
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from idp.settings.secrets import SecretText, kept
from idp.settings.variables import UNSAID, Variables, boolean, setting

KNOWN: Final = ("google", "facebook", "cabanga")
"""The providers of the sign-in page, where ``IDP_PROVIDERS`` says nothing."""
FACEBOOK: Final = "facebook"
GOOGLE_ISSUER: Final = "https://accounts.google.com"
FACEBOOK_ISSUER: Final = "https://www.facebook.com"

AUTH_METHODS: Final = ("client_secret_basic", "client_secret_post")
SHOWN_CLAIMS: Final = ("email", "name")
LARGEST_LOGO: Final = 64 * 1024  # bytes
LOGO_TYPES: Final = {".svg": "image/svg+xml", ".png": "image/png"}

_KEY = re.compile(r"[a-z][a-z0-9]{0,19}")
_GRAPH_VERSION = re.compile(r"v\d{1,3}\.\d")


def _claim_map(text: str) -> dict[str, str]:
    pairs = [part.partition("=") for part in text.replace(",", " ").split()]
    if any(ours not in SHOWN_CLAIMS or not theirs for ours, _, theirs in pairs):
        raise ValueError(f"is not a list such as email=mail; ours are {', '.join(SHOWN_CLAIMS)}")
    return {ours: theirs for ours, _, theirs in pairs}


@dataclass(frozen=True, kw_only=True)
class ProviderSettings:
    """One provider. All but ``key`` come from ``IDP_PROVIDER_<KEY>_<NAME>``."""

    key: str = field(metadata={"parse": None})
    enabled: bool = setting(True, "Off: links stay, but nobody signs in by it", boolean)
    client_id: str = setting("", "Our client id there (Facebook: the app id)")
    client_secret: SecretText = setting(
        SecretText(),
        "Our secret there (Facebook: the app secret)",
        lambda text: SecretText(text.strip()),
    )
    auth_method: str = setting(
        "client_secret_basic", "How we prove the secret: client_secret_basic or client_secret_post"
    )
    issuer: str = setting("", "Its issuer, to the letter; Google's and Facebook's are known")
    discovery_url: str = setting(
        "", "Its discovery document; by default the issuer's /.well-known/openid-configuration"
    )
    authorization_endpoint: str = setting(
        "", "With TOKEN_ENDPOINT and JWKS_URI: in place of discovery"
    )
    token_endpoint: str = setting("", "See AUTHORIZATION_ENDPOINT")
    jwks_uri: str = setting("", "See AUTHORIZATION_ENDPOINT")
    scopes: str = setting("openid email profile", "What we ask for, separated by spaces")
    claim_map: dict[str, str] = setting(
        dict, "Claims shown to the parent by other names, such as email=mail,name=cn", _claim_map
    )
    hosted_domain: str = setting(
        "", "Only identities whose hd claim is this (a Google Workspace domain)"
    )
    label_fr: str = setting("", "Its name on French pages")
    label_nl: str = setting("", "Its name on Dutch pages")
    label_de: str = setting("", "Its name on German pages")
    label_en: str = setting("", "Its name on English pages")
    logo: str = setting("", "An SVG or PNG file of its logo (at most 64 KiB)")
    graph_version: str = setting("v26.0", "Facebook only: the version of the Graph API")
    graph_url: str = setting("https://graph.facebook.com", "Facebook only: its Graph API")
    dialog_url: str = setting("https://www.facebook.com", "Facebook only: its login dialog")

    def __post_init__(self) -> None:
        object.__setattr__(self, "client_secret", kept(SecretText, self.client_secret))

    @property
    def is_facebook(self) -> bool:
        """Facebook speaks OAuth 2.0 and Graph; every other provider speaks OpenID Connect."""
        return self.key == FACEBOOK

    @property
    def has_endpoints(self) -> bool:
        """Whether explicit endpoints stand in place of a discovery document."""
        return bool(self.authorization_endpoint or self.token_endpoint or self.jwks_uri)

    @property
    def accepted_issuers(self) -> tuple[str, ...]:
        """What may stand in ``iss``. Google signs with a second spelling, for old clients."""
        if self.issuer == GOOGLE_ISSUER:
            return (GOOGLE_ISSUER, "accounts.google.com")
        return (self.issuer,)

    @property
    def discovery_address(self) -> str:
        """Where its metadata are (OpenID Connect Discovery §4)."""
        return self.discovery_url or f"{self.issuer.rstrip('/')}/.well-known/openid-configuration"

    def label(self, locale: str) -> str:
        """Its name in this language; where that is not given, in any."""
        labels = [getattr(self, f"label_{each}") for each in (locale, "fr", "en", "nl", "de")]
        return next((label for label in labels if label), self.key.capitalize())

    def problems(self, *, demo: bool) -> list[str]:
        """Every reason why this provider must not be offered, as sentences."""
        prefix = f"IDP_PROVIDER_{self.key.upper()}_"
        reasons = [f"{prefix}{name} is missing" for name in self._missing()]
        reasons += [f"{prefix}{problem}" for problem in self._refused()]
        for name, address in self._addresses().items():
            if address and (problem := _address_problem(address, demo=demo)):
                reasons.append(f"{prefix}{name} {problem}")
        if self.logo and (problem := _logo_problem(Path(self.logo))):
            reasons.append(f"{prefix}LOGO {problem}")
        return reasons

    def _missing(self) -> list[str]:
        names = ["client_id", "client_secret", "issuer"]
        if self.has_endpoints:
            names += ["authorization_endpoint", "token_endpoint", "jwks_uri"]
        return [name.upper() for name in names if not getattr(self, name)]

    def _refused(self) -> list[str]:
        reasons = []
        if self.auth_method not in AUTH_METHODS:
            reasons.append(f"AUTH_METHOD is none of {', '.join(AUTH_METHODS)}")
        if not self.is_facebook and "openid" not in self.scopes.split():
            reasons.append("SCOPES does not hold openid")
        if not _GRAPH_VERSION.fullmatch(self.graph_version):
            reasons.append("GRAPH_VERSION does not look like v26.0")
        if self.has_endpoints and self.discovery_url:
            reasons.append("DISCOVERY_URL and explicit endpoints exclude one another")
        return reasons

    def _addresses(self) -> dict[str, str]:
        names = ("discovery_url", "authorization_endpoint", "token_endpoint", "jwks_uri")
        places = (*names, "graph_url", "dialog_url") if self.is_facebook else ("issuer", *names)
        return {name.upper(): getattr(self, name) for name in places}


Problems = list[str]


def read_providers(variables: Variables) -> tuple[ProviderSettings, ...]:
    """The configured providers in the order of their buttons."""
    named = variables.read("IDP_PROVIDERS", lambda text: text.replace(",", " ").split())
    keys: list[str] = list(KNOWN) if named is UNSAID else named
    variables.problems += _key_problems(keys)
    # What is said of Google is right, also while IDP_PROVIDERS leaves Google out.
    variables.know(variable(key, each.name) for key in KNOWN for each in FIELDS)
    configured = []
    for key in dict.fromkeys(key for key in keys if _KEY.fullmatch(key)):
        before = len(variables.problems)
        values = variables.values(ProviderSettings, partial(variable, key))
        if values or (key not in KNOWN and len(variables.problems) == before):
            configured.append(_with_known(ProviderSettings(key=key, **values)))
    return tuple(configured)


def problems_of(providers: tuple[ProviderSettings, ...], *, demo: bool) -> Problems:
    """Every reason why these providers must not be offered together."""
    reasons = [problem for each in providers for problem in each.problems(demo=demo)]
    issuers = [each.issuer for each in providers if each.issuer]
    if len(set(issuers)) < len(issuers):
        # RFC 9207 §2.4 and our links tell providers apart by their issuer alone.
        reasons.append("IDP_PROVIDERS names two providers of the same issuer")
    return reasons


def unread_variables(environment: dict[str, str]) -> list[str]:
    """What is said of Google, Facebook or Cabanga while IDP_PROVIDERS leaves it out."""
    named = environment.get("IDP_PROVIDERS")
    keys = KNOWN if named is None else named.replace(",", " ").split()
    unread = {variable(key, each.name) for key in KNOWN if key not in keys for each in FIELDS}
    return sorted(name for name in environment if name.removesuffix("_FILE") in unread)


FIELDS: Final = tuple(each for each in fields(ProviderSettings) if each.name != "key")


def variable(key: str, name: str) -> str:
    """The environment variable of a provider's setting."""
    shown = key if key.startswith("<") else key.upper()
    return f"IDP_PROVIDER_{shown}_{name.upper()}"


def _key_problems(keys: list[str]) -> Problems:
    wrong = [key for key in keys if not _KEY.fullmatch(key)]
    reasons = [f"IDP_PROVIDERS: {key[:40]!r} is not a short lower-case name" for key in wrong]
    if len(set(keys)) < len(keys):
        reasons.append("IDP_PROVIDERS names a provider twice")
    return reasons


def _with_known(provider: ProviderSettings) -> ProviderSettings:
    """What everybody knows of Google and Facebook need not be configured."""
    if provider.is_facebook:
        scopes = provider.scopes
        if scopes == "openid email profile":
            scopes = "public_profile email"
        return replace(provider, issuer=FACEBOOK_ISSUER, scopes=scopes)
    if provider.key == "google" and not provider.issuer:
        return replace(provider, issuer=GOOGLE_ISSUER)
    return provider


def _address_problem(address: str, *, demo: bool) -> str | None:
    try:
        parts = urlsplit(address)
        host, _port = parts.hostname, parts.port
    except ValueError:
        return "is not an address"
    if parts.scheme not in {"http", "https"} or not host or not address.isprintable():
        return "is not an http(s) address"
    if parts.username or parts.fragment:
        return "holds a user name or a fragment"
    # Rule R10; the demo's stand-ins live on loopback, where nobody listens in.
    if parts.scheme == "http" and not (demo and is_loopback(host)):
        return "is plain HTTP, which only the demo may use, on loopback"
    return None


def _logo_problem(file: Path) -> str | None:
    if file.suffix.lower() not in LOGO_TYPES:
        return "is neither an .svg nor a .png file"
    try:
        size = file.stat().st_size
    except OSError as error:
        return f"can't be read: {error.strerror}"
    return "has more than 64 KiB" if size > LARGEST_LOGO else None


def is_loopback(host: str) -> bool:
    """Whether this host is the machine itself."""
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False
