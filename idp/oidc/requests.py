"""A request as Authlib sees it: parameters from one place, none repeated."""

import re
from collections import defaultdict
from functools import cached_property
from typing import Any

from authlib.integrations.flask_oauth2.requests import FlaskOAuth2Request
from authlib.oauth2.rfc6749 import InvalidRequestError, OAuth2Payload
from flask.wrappers import Request
from werkzeug.datastructures import MultiDict

FORM = "application/x-www-form-urlencoded"
LONGEST_VALUE = 8000
REPEATABLE = "resource"  # RFC 8707 §2
MOST_REPEATED = 20
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")


class SentParameters(MultiDict[str, str]):
    """What a request says. Most names that we know are absent: to find that raises nothing."""

    def get(self, key: str, default: Any = None, type: Any = None) -> Any:  # type: ignore[override]
        """The first value of a parameter, or ``default``."""
        if key not in self:
            return default
        return super().get(key, default, type)


class Payload(OAuth2Payload):  # type: ignore[misc]
    """The query of a GET, the form of a POST; never a mixture of the two."""

    def __init__(self, parameters: MultiDict[str, str]) -> None:
        self._parameters = parameters

    @property
    def data(self) -> MultiDict[str, str]:
        return self._parameters

    @cached_property
    def datalist(self) -> defaultdict[str, list[str]]:
        return defaultdict(
            list, {name: self._parameters.getlist(name) for name in self._parameters}
        )


class ProtocolRequest(FlaskOAuth2Request):  # type: ignore[misc]
    """A request at one of our protocol endpoints.

    Authlib would refuse plain HTTP by looking at the request's own address, which depends
    on the Host header; whether we may speak plain HTTP is decided once, by the settings.
    """

    def __init__(self, request: Request) -> None:
        self._request = request
        self.method = request.method
        self.uri = request.path
        self.headers = request.headers
        self.content_type = request.mimetype
        self._form, self._args = with_values(request.form), with_values(request.args)
        self.payload = Payload(self._form if request.method == "POST" else self._args)
        self.client: Any = None
        self.auth_method: str | None = None
        self.user: Any = None
        self._body = None
        self._scope: str | None = None

    @property
    def sender_address(self) -> str:
        """Whose connection it is: a proxy's, or the client's own."""
        return self._request.remote_addr or ""

    @property
    def connection(self) -> dict[str, Any]:
        """What the server itself says about the connection (PEP 3333); no header writes it."""
        return self._request.environ

    @property
    def form(self) -> MultiDict[str, str]:
        return self._form

    @property
    def args(self) -> MultiDict[str, str]:
        return self._args


def with_values(parameters: MultiDict[str, str]) -> MultiDict[str, str]:
    """The parameters that have a value: one without counts as omitted (RFC 6749 §3.1, §3.2)."""
    return SentParameters([each for each in parameters.items(multi=True) if each[1]])


def check_content_type(content_type: str) -> None:
    """Refuse a body in any other form than the one that RFC 6749 §3.2 and §4.1.3 name."""
    if content_type != FORM:
        raise InvalidRequestError(f"The body must be {FORM}")


def check_request(request: ProtocolRequest) -> None:
    """Refuse what is no request to a token, revocation or introspection endpoint."""
    check_content_type(request.content_type)
    check_parameters(request.form)
    if request.args:
        # RFC 6749 §3.2: nothing in the query; URLs are logged (security rule O13).
        raise InvalidRequestError("Parameters belong into the body")


def check_parameters(parameters: MultiDict[str, str]) -> None:
    """Refuse what no honest client sends: a repeated parameter, control characters, novels.

    RFC 6749 §3.1 and §3.2: parameters MUST NOT be included more than once.
    """
    for name, values in parameters.lists():
        if len(values) > 1 and name != REPEATABLE:
            raise InvalidRequestError("A parameter is repeated")
        if any(_CONTROL.search(each) for each in (name, *values)):
            raise InvalidRequestError("A parameter holds a control character")
        if max(map(len, values)) > LONGEST_VALUE or len(values) > MOST_REPEATED:
            raise InvalidRequestError("A parameter is too long")
