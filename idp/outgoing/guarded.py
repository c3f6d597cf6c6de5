"""Whatever a client makes us ask: only over https, only public addresses (security rule R14).

The name is looked up once, each of its addresses is checked, and the connection goes to one of
them while TLS asks for the name; what the name means a moment later changes nothing. Behind the
operator's proxy it is the proxy that looks names up and connects: what it may reach is its own
rule, and ours are checked as far as we know the name.
"""

import json
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from ipaddress import ip_address
from typing import TYPE_CHECKING, Any, Final

from idp.outgoing import addresses
from idp.outgoing.addresses import Address
from idp.outgoing.places import PlacesByHost
from idp.outgoing.trouble import Away, NotAllowed, WrongAnswer
from idp.outgoing.watch import SECONDS

if TYPE_CHECKING:
    from requests import Response
    from urllib3.util import Url

LARGEST: Final = 64 * 1024  # bytes
LARGEST_ANSWER_TO_POST: Final = 8 * 1024  # bytes: a status, and perhaps an error in JSON
LONGEST_ADDRESS: Final = 2000

_places: Final = PlacesByHost()


@dataclass(frozen=True)
class Answer:
    """What a server answered. ``headers``: their names in lower case."""

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = field(default=b"", repr=False)

    @classmethod
    def of(cls, response: "Response") -> "Answer":
        """An answer that was read to its end."""
        headers = {name.lower(): value for name, value in response.headers.items()}
        return cls(response.status_code, headers, response.content)

    def json(self) -> Any:
        """The body as JSON. Raises ``WrongAnswer`` for anything else."""
        try:
            return json.loads(self.body)
        except (ValueError, RecursionError):
            raise WrongAnswer("no JSON") from None

    def json_object(self) -> dict[str, Any]:
        """The JSON object of the body. Raises ``WrongAnswer`` for anything else."""
        document = self.json()
        if not isinstance(document, dict):
            raise WrongAnswer("no JSON object")
        return document


def fetch(address: str, *, accept: str = "application/json") -> Answer:
    """GET what a client named: whatever it answers but a redirect, 64 KiB at most.

    Raises ``NotAllowed``, ``Away`` (429 and 5xx too) or ``WrongAnswer``.
    """
    answer = _exchange("GET", address, {"Accept": accept}, None, LARGEST)
    if answer.status >= 500 or answer.status == 429:
        raise Away(f"status {answer.status}")
    return answer


def post(
    address: str, body: bytes, content_type: str, headers: Mapping[str, str] | None = None
) -> Answer:
    """POST to an address that a client named: the answer of whatever status but a redirect, with
    8 KiB of its body at most.

    Raises ``NotAllowed``, ``Away`` or ``WrongAnswer``. It is sent once: whether to send again is
    the caller's to decide.
    """
    all_headers = {"Content-Type": content_type, **(headers or {})}
    return _exchange("POST", address, all_headers, body, LARGEST_ANSWER_TO_POST)


def _exchange(
    method: str, address: str, headers: Mapping[str, str], body: bytes | None, largest: int
) -> Answer:
    from idp.outgoing.guarded_session import GuardedSession

    host = _checked_host(address)
    sent = {"User-Agent": "school-idp", **headers}
    with _places.apart(host), GuardedSession() as made:
        made.largest = largest
        return Answer.of(made.request(method, address, headers=sent, data=body))


def check_address(address: str) -> None:
    """Refuse an address that we would not ask, as far as it tells by itself: nothing is looked up.

    Raises ``NotAllowed``.
    """
    parts = _parsed(address)
    host = (parts.host or "").strip("[]")
    plain = parts.scheme == "http"
    try:
        literal = ip_address("127.0.0.1" if host == "localhost" else host)
    except ValueError:
        if plain:
            raise NotAllowed("not https") from None
    else:
        addresses.check_allowed(host, [literal], plain=plain)


def _parsed(address: str) -> "Url":
    """An address, read by the library that will connect to it. Raises ``NotAllowed``."""
    from urllib3.exceptions import LocationParseError
    from urllib3.util import parse_url

    try:
        parts = parse_url(address if len(address) <= LONGEST_ADDRESS else "")
    except LocationParseError:
        raise NotAllowed("no address") from None
    if parts.scheme not in {"https", "http"} or not parts.host or parts.auth:
        raise NotAllowed("no address")
    return parts


def _checked_host(address: str) -> str:
    """The host of an address. Raises ``NotAllowed``."""
    from idp.outgoing.session import proxies_for

    parts = _parsed(address)
    host = (parts.host or "").strip("[]")
    if proxies_for(address):
        _check_behind_proxy(host, parts.port or 443)
    return host.lower()


def _check_behind_proxy(host: str, port: int) -> None:
    """What can be known of a host that the proxy will look up; where only the proxy knows it, the
    proxy decides.
    """
    resolved: list[Address] = []
    with suppress(Away):
        resolved = addresses.resolve(host, port, SECONDS / 2)
    addresses.check_allowed(host, resolved, plain=False)
