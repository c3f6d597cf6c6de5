"""The kinds of applications that have a recipe, and what stands in each.

``run``: our tests run these very settings with the software (``tests/admin``, ``tests/installs``).
``read``: it can't be installed there; ``tests/clients/test_php_applications.py`` sends what its
source sends.
"""

import json
import shlex
from typing import Final
from urllib.parse import urlencode, urlsplit

from idp.clients import recipe_programs as programs
from idp.clients import recipe_settings as settings
from idp.clients.metadata import DEVICE_CODE, has_made_up_email
from idp.clients.recipe_parts import ALL, Block, Kind, Values, dotenv, php

_POST: Final = frozenset({"client_secret_post"})
_ENDPOINTS: Final = (
    "authorization_endpoint",
    "token_endpoint",
    "userinfo_endpoint",
    "jwks_uri",
    "end_session_endpoint",
)


def _plain(values: Values) -> tuple[Block, ...]:
    provider, grants = values.provider, values.metadata["grant_types"]
    secret = () if values.method in {"none", "private_key_jwt"} else (values.secret,)
    devices = ["device_authorization_endpoint"] if DEVICE_CODE in grants else []
    rows = [
        ("issuer", provider["issuer"]),
        ("discovery", f"{provider['issuer']}/.well-known/openid-configuration"),
        ("client_id", values.client_id),
        *(("client_secret", each) for each in secret),
        ("scope", values.metadata["scope"]),
        *(("redirect_uri", each) for each in values.metadata["redirect_uris"]),
        ("token_endpoint_auth_method", values.method),
        *((name, provider[name]) for name in _ENDPOINTS),
        *((name, provider[name]) for name in devices),
    ]
    return (Block("", rows=tuple(rows)),)


def _flask(values: Values) -> tuple[Block, ...]:
    return (
        Block("app.py", values.fill(programs.FLASK, json.dumps)),
        Block("sh", values.fill(programs.SHELL_FLASK, shlex.quote)),
    )


def _express(values: Values) -> tuple[Block, ...]:
    return (
        Block("app.mjs", values.fill(programs.EXPRESS, json.dumps)),
        Block("sh", values.fill(programs.SHELL_EXPRESS, shlex.quote)),
    )


def _django(values: Values) -> tuple[Block, ...]:
    return (
        Block("settings.py", values.fill(settings.DJANGO_SETTINGS, json.dumps)),
        Block("school_login.py", values.fill(settings.DJANGO_LOGIN, json.dumps)),
        Block("urls.py", settings.DJANGO_URLS),
        Block("sh", values.fill(settings.SHELL_DJANGO, shlex.quote)),
    )


def _proxy(values: Values) -> tuple[Block, ...]:
    back = {"client_id": values.client_id, "post_logout_redirect_uri": values.home}
    leave = f"{values.provider['end_session_endpoint']}?{urlencode(back)}"
    return (
        Block("oauth2-proxy.cfg", values.fill(settings.PROXY, json.dumps)),
        Block("sh", values.fill(settings.SHELL_PROXY, shlex.quote)),
        Block("", rows=(("sign out", f"/oauth2/sign_out?{urlencode({'rd': leave})}"),)),
    )


def _apache(values: Values) -> tuple[Block, ...]:
    back = urlencode({"logout": values.home})
    return (
        Block("oidc.conf", values.fill(settings.APACHE, json.dumps)),
        Block("", rows=(("sign out", f"{urlsplit(values.redirect_uri).path}?{back}"),)),
    )


def _laravel(values: Values) -> tuple[Block, ...]:
    return (
        Block("sh", programs.SHELL_LARAVEL),
        Block(".env", values.fill(programs.LARAVEL_ENV, dotenv)),
        Block("config/services.php", programs.LARAVEL_SERVICES),
        Block("app/Providers/AppServiceProvider.php", programs.LARAVEL_PROVIDER),
        Block("routes/web.php", values.fill(programs.LARAVEL_ROUTES, php)),
    )


def _moodle(values: Values) -> tuple[Block, ...]:
    basic = "Yes" if values.method == "client_secret_basic" else "No"
    # Mail to a made-up address reaches nobody: it can't be asked to confirm anything. A real
    # address must be, or who is registered here under an administrator's would be one there.
    confirmed = "No" if has_made_up_email(values.metadata) else "Yes"
    service = (
        ("Client ID", values.client_id),
        ("Client secret", values.secret),
        ("Authenticate token requests via HTTP headers", basic),
        ("Service base URL", values.provider["issuer"]),
        ("Scopes included in a login request.", values.metadata["scope"]),
        ("Require email verification", confirmed),
    )
    child = values.child_claims(
        *(("sub", "idnumber"), ("class", "department"), ("school.name", "institution")),
        ("given_name", "profile_field_child"),
    )
    mappings = (
        ("sub", "username"),
        ("given_name", "firstname"),
        ("family_name", "lastname"),
        ("email", "email"),
        ("locale", "lang"),
        *child,
    )
    field = (("Short name", "child"), ("Name", "Child"))
    return (
        *(
            Block("Site administration > Users > User profile fields > Text input", rows=field)
            for _name, to in child
            if to == "profile_field_child"
        ),
        Block("Site administration > Server > OAuth 2 services > Custom", rows=service),
        Block("Configure user field mappings", rows=mappings),
    )


def _nextcloud(values: Values) -> tuple[Block, ...]:
    options = settings.NEXTCLOUD_OPTIONS + values.child_claims(
        ("given_name", "headline"), ("school.name", "organisation"), ("class", "role")
    )
    lines = [values.fill(settings.NEXTCLOUD, shlex.quote).rstrip()]
    lines += [f"  --mapping-{to}={shlex.quote(claim)}" for claim, to in options]
    return (Block("sh", " \\\n".join(lines) + "\n"),)


def _wordpress(values: Values) -> tuple[Block, ...]:
    return (
        Block("wp-config.php", values.fill(settings.WORDPRESS, php)),
        Block("Settings > OpenID Connect Client", rows=settings.WORDPRESS_FORM),
        Block("wp-content/mu-plugins/school.php", values.fill(settings.WORDPRESS_PLUGIN, php)),
    )


_NEEDED: Final = ("profile", "email")
KINDS: Final = (
    Kind("plain", "OpenID Connect", _plain),
    Kind("flask", "Flask (Authlib)", _flask, run="Authlib 1.9"),
    Kind("express", "Express (openid-client 6)", _express, run="openid-client 6"),
    Kind(
        *("django", "Django (mozilla-django-oidc)", _django, ALL - {"none"}),
        callback="/oidc/callback/",
        scopes=("profile",),
        logout=True,
        run="mozilla-django-oidc 5.0",
        keyed="ours",
    ),
    Kind(
        *("oauth2-proxy", "oauth2-proxy", _proxy, ALL - {"none"}),
        callback="/oauth2/callback",
        logout=True,
        run="oauth2-proxy 7.15",
        keyed="ours",
    ),
    Kind(
        *("apache", "Apache (mod_auth_openidc)", _apache, ALL - {"none"}),
        flat=True,
        logout=True,
        run="mod_auth_openidc 2.4.12",
        keyed="ours",
        omits_iss=True,
    ),
    Kind(
        *("laravel", "Laravel (Socialite)", _laravel, _POST),
        scopes=_NEEDED,
        claims=("name", "email"),
        logout=True,
        read="kovah/laravel-socialite-oidc",
        keyed="needed",
    ),
    Kind(
        *("moodle", "Moodle", _moodle, ALL - {"none"}),
        callback="/admin/oauth2callback.php",
        pkce=False,
        flat=True,
        scopes=_NEEDED,
        read="Moodle (auth_oauth2)",
        keyed="person",
        stays_signed_in=True,
    ),
    Kind(
        *("nextcloud", "Nextcloud (user_oidc)", _nextcloud, _POST),
        callback="/apps/user_oidc/code",
        flat=True,
        scopes=_NEEDED,
        logout=True,
        read="user_oidc 8.11",
    ),
    Kind(
        *("wordpress", "WordPress (OpenID Connect Generic)", _wordpress, _POST),
        callback="/wp-admin/admin-ajax.php?action=openid-connect-authorize",
        pkce=False,
        scopes=_NEEDED,
        logout=True,
        read="OpenID Connect Generic 3.10.3",
        keyed="person",
    ),
)
