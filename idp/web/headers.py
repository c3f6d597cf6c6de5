"""What every response says to the browser (security rules S4, S8 and S9)."""

from hashlib import sha256
from pathlib import Path
from urllib.parse import urlsplit

from flask import Flask, Response, g, request, url_for

from idp.correlation import current as correlation
from idp.settings import current as settings

A_YEAR = 365 * 24 * 3600

POLICY = {
    "default-src": "'none'",
    "style-src": "'self'",
    "img-src": "'self'",
    "font-src": "'self'",
    "script-src": "'self'",
    "connect-src": "'none'",
    "base-uri": "'none'",
    "frame-ancestors": "'none'",
}

PASSKEY_FEATURES = ("publickey-credentials-create", "publickey-credentials-get")
"""Permissions Policy, WebAuthn Level 3 §5.9: for pages that say ``allow_passkeys``."""

UNUSED_FEATURES = (
    "accelerometer",
    "camera",
    "display-capture",
    "encrypted-media",
    "geolocation",
    "gyroscope",
    "magnetometer",
    "microphone",
    "midi",
    "payment",
    "usb",
    *PASSKEY_FEATURES,
)


def init_app(app: Flask) -> None:
    """Set the headers after each request, and give templates ``static_url``."""
    # A cookie that is set again with every answer would ride on cached stylesheets too.
    app.config["SESSION_REFRESH_EACH_REQUEST"] = False
    app.after_request(set_headers)
    app.jinja_env.globals["static_url"] = _StaticUrls(Path(app.static_folder or ""))


def allow_forms_to(*uris: str) -> None:
    """Let this page's forms end, by redirects, at the origins of ``uris``.

    Browsers check ``form-action`` at every redirect after a form (CSP Level 3 §6.4.2), and
    « CONNEXION » ends at the application's redirect URI.
    """
    known: list[str] = g.setdefault("form_action", [])
    known.extend(source for uri in uris if (source := source_of(uri)) and source not in known)


def allow_passkeys() -> None:
    """Let this page's script ask us for challenges, and the browser for its passkeys."""
    g.passkeys = True


def source_of(uri: str) -> str | None:
    """The CSP source expression that covers ``uri``: its origin, or its own scheme."""
    try:
        parts = urlsplit(uri)
        port = f":{parts.port}" if parts.port else ""
    except ValueError:
        return None
    if parts.scheme not in {"http", "https"}:
        return f"{parts.scheme}:" if parts.scheme else None
    host = parts.hostname or ""
    if ":" in host:
        return f"{parts.scheme}:"  # CSP has no spelling for IPv6 hosts
    return f"{parts.scheme}://{host}{port}" if host else None


def set_headers(response: Response) -> Response:
    """Add what is missing; an endpoint that has set a header itself keeps it."""
    headers = response.headers
    headers.setdefault("Content-Security-Policy", content_security_policy())
    headers.setdefault("X-Content-Type-Options", "nosniff")
    headers.setdefault("X-Frame-Options", "DENY")
    headers.setdefault("Referrer-Policy", "no-referrer")
    headers.setdefault("Cross-Origin-Opener-Policy", "same-origin")
    if "Access-Control-Allow-Origin" not in headers:
        headers.setdefault("Cross-Origin-Resource-Policy", "same-origin")
    headers.setdefault("Permissions-Policy", permissions_policy())
    headers["X-Request-Id"] = correlation().id
    if settings().secure:
        headers.setdefault("Strict-Transport-Security", f"max-age={A_YEAR}")
    _set_caching(response)
    return response


def content_security_policy() -> str:
    """The policy of this page. Lists of form targets come from ``allow_forms_to``."""
    targets = " ".join(["'self'", *g.get("form_action", [])])
    policy = {**POLICY, "connect-src": "'self'"} if g.get("passkeys") else POLICY
    parts = [f"{directive} {sources}" for directive, sources in policy.items()]
    return "; ".join([*parts, f"form-action {targets}"])


def permissions_policy() -> str:
    """What this page may use of the browser: nothing, or its passkeys."""
    allowed = PASSKEY_FEATURES if g.get("passkeys") else ()
    return ", ".join(f"{each}={'(self)' if each in allowed else '()'}" for each in UNUSED_FEATURES)


def _set_caching(response: Response) -> None:
    if request.endpoint == "static" and response.status_code in {200, 304}:
        # Addresses from static_url carry a digest; others are asked for again.
        lifetime = f"public, max-age={A_YEAR}, immutable" if "v" in request.args else "no-cache"
        response.headers["Cache-Control"] = lifetime
    elif response.cache_control.max_age is None:
        response.headers["Cache-Control"] = "no-store"
        response.vary.add("Cookie")
        response.vary.add("Accept-Language")


class _StaticUrls:
    """``static_url('idp.css')``: an address that changes with the file's content."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._digests: dict[str, str] = {}

    def __call__(self, name: str) -> str:
        if name not in self._digests:
            content = (self._folder / name).read_bytes()
            self._digests[name] = sha256(content).hexdigest()[:12]
        return url_for("static", filename=name, v=self._digests[name])
