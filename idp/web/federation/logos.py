"""Providers' logos, from our own storage alone (security rule O19)."""

from collections.abc import Callable
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import cast

from flask import Response, current_app, url_for

from idp.federation import providers
from idp.settings.providers import LOGO_TYPES, ProviderSettings
from idp.web.errors import PageError
from idp.web.federation.blueprint import blueprint

A_DAY = 24 * 3600
OURS = ("google", "facebook", "cabanga")


def address(provider: ProviderSettings) -> str:
    """Where its logo is; the address changes with the file that is configured."""
    if provider.logo:
        version = sha256(provider.logo.encode()).hexdigest()[:12]
        return url_for("federation.logo", key=provider.key, v=version)
    name = provider.key if provider.key in OURS else "other"
    static_url = cast(Callable[[str], str], current_app.jinja_env.globals["static_url"])
    return static_url(f"provider-{name}.svg")


@blueprint.get("/providers/<key>/logo")
def logo(key: str) -> Response:
    """The configured file."""
    found = next((each for each in providers.offered() if each.key == key and each.logo), None)
    if found is None:
        raise PageError("not_found", 404)
    content = _content(found.logo)
    response = Response(content, mimetype=LOGO_TYPES[Path(found.logo).suffix.lower()])
    response.cache_control.public = True
    response.cache_control.max_age = A_DAY
    # An SVG is a document: opened by itself it must be a picture and nothing more.
    response.headers["Content-Security-Policy"] = "default-src 'none'; sandbox"
    return response


@cache
def _content(path: str) -> bytes:
    return Path(path).read_bytes()
