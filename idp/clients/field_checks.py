"""What one field of a registration may hold, by itself; each check raises ``Invalid``."""

from collections.abc import Callable
from typing import Any, Final

from idp.clients import keys, uris
from idp.errors import Invalid
from idp.outgoing import guarded
from idp.outgoing.trouble import NotAllowed

Check = Callable[[str, dict[str, Any]], None]
MOST_ADDRESSES: Final = 50
MOST_RESOURCES: Final = 10
LONGEST_RESOURCE: Final = 500
LONGEST_CONTACT: Final = 254


def text(most: int) -> Check:
    """A text of so many characters, none of them a control character."""

    def check(name: str, document: dict[str, Any]) -> None:
        value = document[name]
        if not isinstance(value, str) or not 1 <= len(value.strip()) <= most:
            raise Invalid(name, "text_length", most=most)
        if any(ord(character) < 32 or ord(character) == 127 for character in value):
            raise Invalid(name, "control")

    return check


def one_of(*allowed: str) -> Check:
    """One of these values."""

    def check(name: str, document: dict[str, Any]) -> None:
        if document[name] not in allowed:
            raise Invalid(name, "must_be_one_of", allowed=allowed)

    return check


def some_of(*allowed: str, least: int = 1) -> Check:
    """A list of some of these values."""

    def check(name: str, document: dict[str, Any]) -> None:
        value = document[name]
        known = isinstance(value, list) and set(map(str, value)) <= set(allowed)
        if not known or len(value) < least:
            raise Invalid(name, "must_be_some_of", allowed=allowed)

    return check


def boolean(name: str, document: dict[str, Any]) -> None:
    """True or false."""
    if not isinstance(document[name], bool):
        raise Invalid(name, "no_boolean")


def page(name: str, document: dict[str, Any]) -> None:
    """An address that parents are led to or shown."""
    value = document[name]
    if not isinstance(value, str):
        raise Invalid(name, "no_text")
    if problem := uris.problem_of_page(value):
        raise of_address(name, problem, value)


def redirects(name: str, document: dict[str, Any]) -> None:
    """Addresses to which a browser is sent with an answer."""
    native = document.get("application_type") == "native"
    for uri in list_of_text(name, document):
        if problem := uris.problem_of_redirect_uri(uri, native=native):
            raise of_address(name, problem, uri)


def of_address(name: str, problem: uris.Problem, uri: str = "") -> Invalid:
    """What is wrong with an address, as the field says it."""
    return Invalid(name, problem.value, address=uri, most=uris.LONGEST)


def origins(name: str, document: dict[str, Any]) -> None:
    """Origins of pages that call us."""
    for value in list_of_text(name, document):
        if uris.problem_of_page(value) or uris.origin(value) != value:
            raise Invalid(name, "no_origin", address=value)


def called_by_us(name: str, document: dict[str, Any]) -> None:
    """An address that we ask ourselves (security rule R14)."""
    page(name, document)
    try:
        guarded.check_address(document[name])
    except NotAllowed:
        raise of_address(name, uris.Problem.NOT_CALLED, document[name]) from None


def request_uris(name: str, document: dict[str, Any]) -> None:
    """Addresses of request objects; a fragment is the hash of what stands there (Core §6.2)."""
    for uri in list_of_text(name, document):
        called_by_us(name, {name: uri.partition("#")[0]})


def resources(name: str, document: dict[str, Any]) -> None:
    """RFC 8707 §2: each is an absolute URI without a fragment."""
    values = list_of_text(name, document)
    if len(values) > MOST_RESOURCES:
        raise Invalid(name, "too_many_resources", most=MOST_RESOURCES)
    for value in values:
        if problem := uris.problem_of_resource(value):
            raise of_address(name, problem, value)
        if len(value) > LONGEST_RESOURCE:
            raise Invalid(name, "uri_length", most=LONGEST_RESOURCE)


def contacts(name: str, document: dict[str, Any]) -> None:
    """RFC 7591 §2: ways to reach who is responsible, mostly e-mail addresses."""
    for value in list_of_text(name, document):
        if not 1 <= len(value.strip()) <= LONGEST_CONTACT:
            raise Invalid(name, "uri_length", most=LONGEST_CONTACT)
        if not value.isprintable():
            raise Invalid(name, "control")


def jwks(name: str, document: dict[str, Any]) -> None:
    """A set of public keys."""
    keys.check_public(document[name])


def list_of_text(name: str, document: dict[str, Any]) -> list[str]:
    """A list of texts, not too long; returns it."""
    value = document[name]
    if not isinstance(value, list) or len(value) > MOST_ADDRESSES:
        raise Invalid(name, "too_many_uris", most=MOST_ADDRESSES)
    if not all(isinstance(each, str) for each in value):
        raise Invalid(name, "no_texts")
    return value


def positive(name: str, document: dict[str, Any]) -> None:
    """A number of seconds."""
    value = document[name]
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise Invalid(name, "no_seconds")
