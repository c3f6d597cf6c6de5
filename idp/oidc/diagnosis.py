"""Why an authorization request fails, from the address that somebody copied from a browser."""

from dataclasses import dataclass
from typing import Final
from urllib.parse import SplitResult, parse_qsl, unquote, urlencode, urlsplit, urlunsplit

from authlib.oauth2 import OAuth2Error
from werkzeug.datastructures import MultiDict

from idp.clients.models import Client
from idp.oidc import authorization_parameters, authorization_request, request_ways
from idp.oidc.authorization_parameters import Pushed, Read, Refused
from idp.oidc.errors import InvalidRequestUri
from idp.oidc.oauth_client import OAuthClient
from idp.oidc.requests import with_values

LONGEST: Final = 8_000  # characters of the address
_OF_ANSWER: Final = frozenset(
    {"code", "state", "iss", "error", "error_description", "error_uri", "session_state"}
)
"""What the answer adds to a redirect URI (RFC 6749 §4.1.2, RFC 9207)."""


@dataclass(frozen=True)
class Difference:
    """Where the requested redirect URI and the nearest registered one part."""

    registered: str
    requested: str
    kind: str
    """``scheme``, ``host``, ``port``, ``slash``, ``case``, ``encoding``, ``path``, ``query``,
    ``fragment`` or ``other``."""

    @property
    def at(self) -> int:
        """The first character that differs, counted from 1."""
        return len(self._start) + 1

    @property
    def parts(self) -> tuple[tuple[str, str, str], tuple[str, str, str]]:
        """What is the same before, what differs, what is the same after: registered, requested."""
        start, end = self._start, self._end
        return _around(self.registered, start, end), _around(self.requested, start, end)

    @property
    def _start(self) -> str:
        return _common(self.registered, self.requested)

    @property
    def _end(self) -> str:
        skip = len(self._start)
        return _common(self.registered[skip:][::-1], self.requested[skip:][::-1])[::-1]


@dataclass(frozen=True)
class Diagnosis:
    """What was found. Where nothing is wrong, all but ``redirect_uri`` is empty."""

    redirect_uri: str
    difference: Difference | None = None
    other_client: str = ""
    """The ``client_id`` of the request, where it is not this one's."""
    error: str = ""
    """The OAuth error that the application would get, and its reason, as programs read it."""
    left_out: tuple[str, ...] = ()
    """Scopes that were asked for and are not registered: they are left out, not refused."""

    @property
    def fine(self) -> bool:
        """Whether the request would be accepted as it is."""
        return not (self.difference or self.other_client or self.error or self.left_out)


def diagnose(client: Client, address: str) -> Diagnosis:
    """What is wrong with an authorization request, or with a redirect URI by itself."""
    known = OAuthClient(client)
    parameters = with_values(MultiDict(parse_qsl(_split(address).query)))
    read = authorization_parameters.read(parameters, fetches=False)
    if isinstance(read, Pushed):
        return Diagnosis(
            read.request.redirect_uri,
            error="" if read.is_open else _with_reason(InvalidRequestUri()),
        )
    parameters = read.parameters
    if "redirect_uri" not in parameters:
        uri = _without_answer(address)
        return Diagnosis(uri, _difference(known, uri))
    other = parameters.get("client_id", "")
    scopes = parameters.get("scope", "").split()
    registered = client.metadata_["scope"].split()
    return Diagnosis(
        parameters["redirect_uri"],
        _difference(known, parameters["redirect_uri"]),
        other_client=other if other != client.id else "",
        error=_error(read, known),
        left_out=tuple(each for each in scopes if each not in registered),
    )


def _error(read: Read | Refused, client: OAuthClient) -> str:
    if isinstance(read, Refused):
        return _with_reason(read.error)
    try:
        authorization_request.check_response_type(read.parameters)
        request_ways.check_way(client, pushed=False, signed=read.signed)
        authorization_request.check(read.parameters, client)
        authorization_request.parse(read.parameters, client, hinted_subject=None)
    except OAuth2Error as error:
        return _with_reason(error)
    return ""


def _with_reason(error: OAuth2Error) -> str:
    return f"{error.error}: {error.description}" if error.description else str(error.error)


def _difference(client: OAuthClient, requested: str) -> Difference | None:
    if client.check_redirect_uri(requested):
        return None
    nearest = max(
        client.client_metadata["redirect_uris"],
        key=lambda each: _likeness(each, requested),
        default="",
    )
    return Difference(nearest, requested, _kind(_split(nearest), _split(requested)))


def _likeness(left: str, right: str) -> int:
    start = len(_common(left, right))
    return start + len(_common(left[start:][::-1], right[start:][::-1]))


def _kind(left: SplitResult, right: SplitResult) -> str:
    """What kind of difference it is, the one that is met most often first."""
    if right.fragment and not left.fragment:
        return "fragment"
    if left.scheme.lower() != right.scheme.lower():
        return "scheme"
    if (left.hostname or "") != (right.hostname or ""):
        return "host"
    if left.netloc.lower() != right.netloc.lower():
        return "port"
    if left.path != right.path:
        return _kind_of_path(left.path, right.path)
    return "query" if left.query != right.query else "other"


def _kind_of_path(left: str, right: str) -> str:
    if left.rstrip("/") == right.rstrip("/"):
        return "slash"
    if left.lower() == right.lower():
        return "case"
    return "encoding" if unquote(left) == unquote(right) else "path"


def _without_answer(address: str) -> str:
    """A redirect URI without what our answer put behind it."""
    parts = _split(address)
    pairs = parse_qsl(parts.query, keep_blank_values=True)
    kept = [pair for pair in pairs if pair[0] not in _OF_ANSWER]
    if len(kept) == len(pairs):
        return address
    return urlunsplit(parts._replace(query=urlencode(kept)))


def _split(address: str) -> SplitResult:
    try:
        parts = urlsplit(address)
        _ = parts.port
    except ValueError:  # such as an IPv6 address without its bracket
        return SplitResult("", "", address, "", "")
    return parts


def _common(left: str, right: str) -> str:
    length = 0
    for one, other in zip(left, right, strict=False):
        if one != other:
            break
        length += 1
    return left[:length]


def _around(text: str, start: str, end: str) -> tuple[str, str, str]:
    last = len(text) - len(end)
    return text[: len(start)], text[len(start) : last], text[last:]
