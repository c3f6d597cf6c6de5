"""Where the parameters of an authorization request stand: in the address or form, in a request
object (RFC 9101, OpenID Connect Core §6), or with us, where they were pushed (RFC 9126).
"""

from dataclasses import dataclass

from authlib.oauth2 import OAuth2Error
from authlib.oauth2.rfc6749 import InvalidRequestError
from authlib.oauth2.rfc9101.errors import InvalidRequestUriError
from werkzeug.datastructures import MultiDict

from idp import clock
from idp.oidc import (
    encrypted_requests,
    pushed_requests,
    request_objects,
    request_uris,
    waiting_requests,
)
from idp.oidc.authorization_request import AuthorizationRequest
from idp.oidc.errors import RequestNotSupported, RequestUriNotSupported
from idp.oidc.models import PushedRequestRow
from idp.oidc.oauth_client import OAuthClient, query_client
from idp.oidc.requests import check_parameters

Parameters = MultiDict[str, str]


@dataclass(frozen=True)
class Read:
    """The parameters that count."""

    parameters: Parameters
    signed: bool = False
    client: OAuthClient | None = None
    """The one that they name, where it was looked up to read them."""


@dataclass(frozen=True)
class Pushed:
    """A request that its application has pushed: it was checked then."""

    request: AuthorizationRequest
    client: OAuthClient
    is_open: bool
    """False once it was answered or has expired: it may lead its own browser on, and no more."""


@dataclass(frozen=True)
class Refused:
    """An error. ``parameters``: all that the client said about how it wants its answer, inside of
    an object too. They are nobody's word: a ``redirect_uri`` counts if it is registered.
    """

    parameters: Parameters
    error: OAuth2Error


def read(
    outside: Parameters,
    *,
    fetches: bool = True,
    known: OAuthClient | None = None,
    pushed: PushedRequestRow | None = None,
) -> Read | Pushed | Refused:
    """What an authorization request asks for, wherever it stands.

    ``fetches``: an object by reference is asked for; ``known``: its client, looked up already;
    ``pushed``: what that client has pushed under this name, where it was found together with it.
    """
    text = outside.get("request", "")
    try:
        check_parameters(outside)
        if "request" not in outside and "request_uri" not in outside:
            return Read(outside, client=known)
        client = known or query_client(outside.get("client_id", ""))
        if client is None:
            return Read(outside)  # refused by whoever reads on: there is nobody to answer
        if outside.get("request_uri", "").startswith(pushed_requests.PREFIX):
            return _read_pushed(outside, client, pushed)
        _check_one_way(outside)
        if "request_uri" in outside:
            text = _by_reference(outside["request_uri"], client, fetches=fetches)
        if encrypted_requests.is_encrypted(text):
            return _read_encrypted(outside, text, client)
        return _read_object(outside, text, client)
    except OAuth2Error as error:
        return Refused(_shown(outside, text), error)


def registered_redirect_uri(parameters: Parameters) -> str | None:
    """Where an error may be sent, if these parameters name one client and an address of its own."""
    ids, places = parameters.getlist("client_id"), parameters.getlist("redirect_uri")
    if len(ids) != 1 or len(places) != 1:
        return None
    client = query_client(ids[0])
    return places[0] if client and client.check_redirect_uri(places[0]) else None


def _read_pushed(outside: Parameters, client: OAuthClient, row: PushedRequestRow | None) -> Pushed:
    _check_one_way(outside)
    row = row or pushed_requests.find(outside["request_uri"], client.get_client_id())
    if row is None:
        raise InvalidRequestUriError("The request_uri is unknown, or another application's")
    try:
        request = waiting_requests.restored({**row.request, "pushed": row.uri_hash}, client)
    except OAuth2Error as error:
        raise InvalidRequestUriError(error.get_error_description()) from error
    return Pushed(request, client, pushed_requests.is_open(row, clock.now()))


def _check_one_way(outside: Parameters) -> None:
    if "request" in outside and "request_uri" in outside:
        raise InvalidRequestError("Either request or request_uri, not both")  # RFC 9101 §5


def _by_reference(uri: str, client: OAuthClient, *, fetches: bool) -> str:
    if not request_uris.are_registered(client):
        raise RequestUriNotSupported
    if not fetches:
        raise InvalidRequestUriError("What stands at the request_uri is not looked at here")
    return request_uris.read(uri, client)


def _read_object(outside: Parameters, text: str, client: OAuthClient) -> Read:
    if not request_objects.is_registered(client):
        raise RequestNotSupported
    inside = request_objects.verified(text, client)
    _check_agreement(outside, inside)
    parameters = _joined(outside, inside, client)
    check_parameters(parameters)
    return Read(parameters, signed=True, client=client)


def _read_encrypted(outside: Parameters, text: str, client: OAuthClient) -> Read | Refused:
    inner = encrypted_requests.opened(text, client)
    try:
        return _read_object(outside, inner, client)
    except OAuth2Error as error:
        # What another application encrypted for us shapes no answer to this one
        own = inner if request_objects.is_signed(inner, client) else ""
        return Refused(_shown(outside, own), error)


def _check_agreement(outside: Parameters, inside: dict[str, str]) -> None:
    # Core §6.1: « the values for these parameters MUST match those in the Request Object »
    for name in ("client_id", "response_type"):
        if outside.get(name) and inside.get(name) not in {None, outside[name]}:
            raise InvalidRequestError(f"The {name} differs within and without the request object")


def _joined(outside: Parameters, inside: dict[str, str], client: OAuthClient) -> Parameters:
    """RFC 9101 §6.3: the object's parameters alone. Core §6.1, by registration: those outside
    count where the object has none.
    """
    below: Parameters = MultiDict()
    if client.client_metadata.get("parameters_beside_request_object"):
        below = without(outside, "request", "request_uri")
    return _over(below, {**inside, "client_id": client.get_client_id()})


def _shown(outside: Parameters, text: str) -> Parameters:
    """All that was said, the object's word before the other: for the shape of an error."""
    if not text:
        return outside
    inside = request_objects.shown(text)
    return _over(outside, {name: inside[name] for name in inside if name != "client_id"})


def _over(below: Parameters, above: dict[str, str]) -> Parameters:
    joined = below.copy()
    for name, value in above.items():
        joined.setlist(name, [value])
    return joined


def without(parameters: Parameters, *names: str) -> Parameters:
    """The others, each with all its values: a resource may stand there more than once (RFC 8707
    §2).
    """
    return MultiDict(pair for pair in parameters.items(multi=True) if pair[0] not in names)
