"""The grants of the token endpoint: what each of them finds, checks and redeems."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from werkzeug.datastructures import MultiDict

from idp.oidc.oauth_client import OAuthClient

Found = TypeVar("Found")


@dataclass(frozen=True)
class Exchange(Generic[Found]):
    """What a client that proved itself presents at the token endpoint, and what it stands for."""

    form: MultiDict[str, str]
    client: OAuthClient
    found: Found


@dataclass(frozen=True, kw_only=True)
class GrantType(Generic[Found]):
    """One ``grant_type`` (RFC 6749 §4). Its checks run in this order, and raise ``OAuth2Error``."""

    name: str
    parameter: str
    """The parameter that holds the code or token."""
    unknown: str | None
    """How the error describes what is not found, or is another client's."""
    find: Callable[[str], Found | None]
    checks: tuple[Callable[[Exchange[Found]], None], ...]
    redeem: Callable[[Exchange[Found]], dict[str, Any]]
