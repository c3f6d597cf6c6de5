"""What an answer holds and how it goes back: response types and modes (OAuth 2.0 Multiple Response
Type Encoding Practices, Form Post Response Mode, JARM).

Never an access token: what a browser carries is written down on the way (RFC 9700 §2.1.2).
"""

from typing import Final

from authlib.oauth2.rfc6749 import InvalidRequestError
from werkzeug.datastructures import MultiDict

from idp import settings
from idp.clients.metadata import FRONT_CHANNEL_RESPONSE_TYPES, normal_response_type

SIGNED: Final = ("jwt", "query.jwt", "form_post.jwt", "fragment.jwt")
"""JARM §2.3: the answer is one JWT."""


def supported() -> tuple[str, ...]:
    """The response types that an application can be registered for."""
    if settings.current().front_channel_id_tokens:
        return ("code", *FRONT_CHANNEL_RESPONSE_TYPES)
    return ("code",)


def modes() -> tuple[str, ...]:
    """The response modes."""
    if settings.current().front_channel_id_tokens:
        return ("query", "form_post", "fragment", *SIGNED)
    return ("query", "form_post", *SIGNED)


def type_of(parameters: MultiDict[str, str]) -> str:
    """What the answer holds; a code, where the request says nothing that we know."""
    wanted = normal_response_type(parameters.get("response_type", ""))
    return wanted if wanted in supported() else "code"


def mode_of(parameters: MultiDict[str, str]) -> str:
    """How to answer, even where the rest of the request is wrong (Multiple Response Types §2.1)."""
    usual = "query" if type_of(parameters) == "code" else "fragment"
    mode = parameters.get("response_mode")
    if mode == "jwt":  # JARM §2.3.4
        return f"{usual}.jwt"
    return mode if mode in modes() and not _tells_the_log(parameters, mode) else usual


def check_mode(parameters: MultiDict[str, str]) -> None:
    """Refuse a way that we don't know, or that leaves an ID token in logs."""
    mode = parameters.get("response_mode")
    if mode is None:
        return
    if mode not in modes():
        raise InvalidRequestError("The response_mode is not supported")
    if _tells_the_log(parameters, mode):
        # Multiple Response Types §5, JARM §2.3.1
        raise InvalidRequestError("An ID token does not go back in a query")


def _tells_the_log(parameters: MultiDict[str, str], mode: str) -> bool:
    return mode in {"query", "query.jwt"} and "id_token" in type_of(parameters)
