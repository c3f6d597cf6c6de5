"""Which addresses an application may register (security rules O1, O19, O24)."""

import re
from ipaddress import ip_address
from urllib.parse import SplitResult, urlsplit

LONGEST = 2000
_FORBIDDEN = re.compile(r"[\x00-\x20\x7f-\U0010ffff\\*<>\"^`{|}]")
_PRIVATE_SCHEME = re.compile(r"[a-z][a-z0-9+-]*(\.[a-z0-9+-]+)+\Z")


def problem_of_redirect_uri(uri: str, *, native: bool) -> str | None:
    """Why this redirect URI is refused, as a sentence; None where it is fine.

    HTTPS, or plain HTTP on loopback; a native application may also use a private-use scheme
    in reverse-domain form (RFC 8252 §7.1).
    """
    if (problem := _problem_of_form(uri)) is not None:
        return problem
    parts = urlsplit(uri)
    if parts.scheme == "https" or (parts.scheme == "http" and is_loopback(parts)):
        return None if parts.hostname else "has no host"
    if native and _PRIVATE_SCHEME.match(parts.scheme) and not parts.netloc:
        return None
    return "must be https, or http on loopback"


def problem_of_page(uri: str) -> str | None:
    """Why this address of a web page (home page, start page) is refused; None where it is fine."""
    return problem_of_redirect_uri(uri, native=False)


def matches(registered: str, asked: str, *, native: bool) -> bool:
    """Whether ``asked`` is the registered redirect URI, to the letter (RFC 9700 §2.1).

    The one exception: a native application's loopback address may come with any port
    (RFC 8252 §7.3).
    """
    if registered == asked:
        return True
    if not native or _problem_of_form(asked) is not None:
        return False
    left, right = urlsplit(registered), urlsplit(asked)
    return (
        left.scheme == right.scheme == "http"
        and _is_loopback_address(left)
        and left.hostname == right.hostname
        and (left.path, left.query) == (right.path, right.query)
    )


def origin(uri: str) -> str:
    """The origin of an address, or its scheme with a colon where it has no host (CSP source)."""
    parts = urlsplit(uri)
    return f"{parts.scheme}://{parts.netloc}" if parts.netloc else f"{parts.scheme}:"


def is_loopback(parts: SplitResult) -> bool:
    """Whether an address names this machine, by number or as ``localhost``."""
    return parts.hostname == "localhost" or _is_loopback_address(parts)


def _is_loopback_address(parts: SplitResult) -> bool:
    try:
        return ip_address(parts.hostname or "").is_loopback
    except ValueError:
        return False


def _problem_of_form(uri: str) -> str | None:
    if not uri or len(uri) > LONGEST:
        return f"must have 1 to {LONGEST} characters"
    if _FORBIDDEN.search(uri):
        return "holds a character that an address must not hold"
    try:
        parts = urlsplit(uri)
        _ = parts.port
    except ValueError:
        return "is not an address"
    if "#" in uri:
        return "must not have a fragment"  # RFC 6749 §3.1.2
    if parts.username is not None or parts.password is not None:
        return "must not name a user"
    if not parts.scheme:
        return "must be absolute"
    return None
