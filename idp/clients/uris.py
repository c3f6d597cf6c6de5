"""Which addresses an application may register (security rules O1, O19, O24)."""

import re
from collections.abc import Iterable
from enum import StrEnum
from ipaddress import ip_address
from urllib.parse import SplitResult, urlsplit

LONGEST = 2000
_FORBIDDEN = re.compile(r"[\x00-\x20\x7f-\U0010ffff\\*<>\"^`{|}]")
_NUMBER = re.compile(r"(^|\.)(0[xX][0-9a-fA-F]*|[0-9]+)\.?\Z")
_PRIVATE_SCHEME = re.compile(r"[a-z][a-z0-9+-]*(\.[a-z0-9+-]+)+\Z")


class Problem(StrEnum):
    """Why an address is refused."""

    LENGTH = "uri_length"
    CHARACTER = "uri_character"
    NO_ADDRESS = "no_uri"
    FRAGMENT = "uri_fragment"
    USER = "uri_user"
    RELATIVE = "uri_relative"
    NO_HOST = "uri_without_host"
    NOT_HTTPS = "uri_not_https"
    NOT_PUBLIC = "uri_not_public"
    NOT_CALLED = "uri_not_called"


def problem_of_redirect_uri(uri: str, *, native: bool) -> Problem | None:
    """Why this redirect URI is refused; None where it is fine.

    HTTPS, or plain HTTP on loopback; a native application may also use a private-use scheme
    in reverse-domain form (RFC 8252 §7.1).
    """
    if (problem := _problem_of_form(uri)) is not None:
        return problem
    parts = urlsplit(uri)
    if parts.scheme == "https" or (parts.scheme == "http" and is_loopback(parts)):
        return None if parts.hostname else Problem.NO_HOST
    if native and _PRIVATE_SCHEME.match(parts.scheme) and not parts.netloc:
        return None
    return Problem.NOT_HTTPS


def problem_of_page(uri: str) -> Problem | None:
    """Why this address of a web page (home page, start page) is refused; None where it is fine."""
    return problem_of_redirect_uri(uri, native=False)


def problem_of_resource(uri: str) -> Problem | None:
    """Why this name of a resource server is refused (RFC 8707 §2); None where it is fine."""
    if (problem := _problem_of_form(uri)) is not None:
        return problem
    return None if uri.startswith("urn:") else problem_of_page(uri)


def is_reachable_beside(uri: str, redirect_uris: Iterable[str]) -> bool:
    """Whether this address is public, or as near as an application whose codes go there.

    A program on somebody's own computer, or a portal in a school's network, has its pages where
    its redirect URIs are; a public application has none on the parent's own computer.
    """
    near = _private_host(uri)
    return near is None or near in {_private_host(each) for each in redirect_uris}


def matches(registered: str, requested: str, *, native: bool) -> bool:
    """Whether ``requested`` is the registered redirect URI, to the letter (RFC 9700 §2.1).

    The one exception: a native application's loopback address may come with any port
    (RFC 8252 §7.3).
    """
    if registered == requested:
        return True
    if not native or _problem_of_form(requested) is not None:
        return False
    left, right = urlsplit(registered), urlsplit(requested)
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


def _private_host(uri: str) -> str | None:
    """The host, where only this computer or its own network reaches it; all names of this
    computer are one.
    """
    try:
        parts = urlsplit(uri)
    except ValueError:
        return None  # refused for another reason
    host = (parts.hostname or "").rstrip(".")
    if host == "localhost" or host.endswith(".localhost") or _is_loopback_address(parts):
        return "localhost"
    try:
        return None if ip_address(host).is_global else host
    except ValueError:
        return host if host.endswith((".local", ".internal")) else None


def _is_loopback_address(parts: SplitResult) -> bool:
    try:
        return ip_address(parts.hostname or "").is_loopback
    except ValueError:
        return False


def _problem_of_form(uri: str) -> Problem | None:
    if not uri or len(uri) > LONGEST:
        return Problem.LENGTH
    if _FORBIDDEN.search(uri):
        return Problem.CHARACTER
    try:
        parts = urlsplit(uri)
        _ = parts.port
    except ValueError:
        return Problem.NO_ADDRESS
    if "#" in uri:
        return Problem.FRAGMENT  # RFC 6749 §3.1.2
    if parts.username is not None or parts.password is not None:
        return Problem.USER
    if not parts.scheme:
        return Problem.RELATIVE
    if _NUMBER.search(parts.hostname or "") and not _is_ip_address(parts.hostname or ""):
        return Problem.NO_ADDRESS  # browsers read 2130706433 and 0x7f.1 as 127.0.0.1
    return None


def _is_ip_address(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True
