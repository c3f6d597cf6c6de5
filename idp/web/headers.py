"""What every response says to the browser (security rules S4, S8 and S9)."""

from collections.abc import Iterable
from hashlib import sha256
from pathlib import Path
from typing import Final

from flask import Flask, Response, g, request, url_for

from idp.clients.uris import origin
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
    "form-action": "'self'",
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


INTERACTION_PATHS: Final = ("/interaction/", "/oauth2/", "/federation/", "/language")
"""Where an authorization request passes on its way through our pages."""

SAME_EVERYWHERE: Final = (
    ("X-Content-Type-Options", "nosniff"),
    ("X-Frame-Options", "DENY"),
    ("Referrer-Policy", "no-referrer"),
    ("Cross-Origin-Opener-Policy", "same-origin"),
    ("Permissions-Policy", ", ".join(f"{each}=()" for each in UNUSED_FEATURES)),
)


def _written(policy: dict[str, str]) -> str:
    return "; ".join(f"{directive} {sources}" for directive, sources in policy.items())


_POLICY: Final = _written(POLICY)
_PASSKEY_POLICY: Final = _written({**POLICY, "connect-src": "'self'"})
_LEAVING_POLICY: Final = _written({k: v for k, v in POLICY.items() if k != "form-action"})
_PASSKEY_PERMISSIONS: Final = ", ".join(
    f"{each}={'(self)' if each in PASSKEY_FEATURES else '()'}" for each in UNUSED_FEATURES
)


def init_app(app: Flask) -> None:
    """Set the headers after each request, and give templates ``static_url``."""
    # A cookie that is set again with every answer would ride on cached stylesheets too.
    app.config["SESSION_REFRESH_EACH_REQUEST"] = False
    app.after_request(set_headers)
    app.jinja_env.globals["static_url"] = _StaticUrls(Path(app.static_folder or ""))


def let_form_leave() -> None:
    """Let this page's one form go to another site, and on from there.

    Only for ``response_mode=form_post``: browsers check ``form-action`` at every redirect that
    follows a form (CSP Level 3 §6.4.2), and where the application goes on to is its own affair.
    Everything else leaves by a page of ours (docs/decisions/leaving-by-a-page.md).
    """
    g.form_leaves = True


def allow_passkeys() -> None:
    """Let this page's script ask us for challenges, and the browser for its passkeys."""
    g.passkeys = True


def keep_opener() -> None:
    """Let the window that opened this page keep its hold of it (docs/decisions/popups.md)."""
    g.keeps_opener = True


def let_frames_load(addresses: Iterable[str]) -> None:
    """Let this page hold pages of these origins, and of no other (Front-Channel Logout 1.0)."""
    g.frame_sources = " ".join(sorted({origin(address) for address in addresses}))


def set_headers(response: Response) -> Response:
    """Add what is missing; an endpoint that has set a header itself keeps it."""
    headers = response.headers
    # Looked through once: werkzeug's headers are a list, and each question searches all of it.
    present = {name.lower() for name, _ in headers}
    if "content-security-policy" not in present:
        headers.add("Content-Security-Policy", content_security_policy())
    if g.get("passkeys"):
        headers.add("Permissions-Policy", _PASSKEY_PERMISSIONS)
        present.add("permissions-policy")
    if g.get("keeps_opener") or _shows_nothing(response):
        headers.add("Cross-Origin-Opener-Policy", "unsafe-none")
        present.add("cross-origin-opener-policy")
    for name, value in SAME_EVERYWHERE:
        if name.lower() not in present:
            headers.add(name, value)
    if not present & {"access-control-allow-origin", "cross-origin-resource-policy"}:
        headers.add("Cross-Origin-Resource-Policy", "same-origin")
    headers.add("X-Request-Id", correlation().id)
    if settings().secure and "strict-transport-security" not in present:
        headers.add("Strict-Transport-Security", f"max-age={A_YEAR}")
    _set_caching(response)
    return response


def _shows_nothing(response: Response) -> bool:
    """Whether this only goes on within a walk: browsers apply the policy of each redirect, too
    (HTML Standard, "cross-origin opener policies"), and the page at its end has one of its own.
    """
    if response.status_code not in {302, 303} or not request.path.startswith(INTERACTION_PATHS):
        return False
    return response.headers.get("Location", "").startswith("/interaction/")


def content_security_policy() -> str:
    """The policy of this page."""
    if sources := g.get("frame_sources"):
        return _written({**POLICY, "frame-src": sources})
    if g.get("form_leaves"):
        return _LEAVING_POLICY
    return _PASSKEY_POLICY if g.get("passkeys") else _POLICY


def _set_caching(response: Response) -> None:
    if request.endpoint == "static" and response.status_code in {200, 304}:
        # Addresses from static_url carry a digest; others are asked for again.
        lifetime = f"public, max-age={A_YEAR}, immutable" if "v" in request.args else "no-cache"
        response.headers["Cache-Control"] = lifetime
    elif "max-age" not in response.headers.get("Cache-Control", ""):
        response.headers["Cache-Control"] = "no-store"
        vary(response, "Cookie, Accept-Language")


def vary(response: Response, names: str) -> None:
    """Say that the answer depends on these request headers as well."""
    before = response.headers.get("Vary")
    response.headers["Vary"] = f"{before}, {names}" if before else names


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
