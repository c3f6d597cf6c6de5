"""The grants of the token endpoint: what each of them finds, checks and redeems."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from authlib.oauth2.rfc6749 import InvalidGrantError
from werkzeug.datastructures import MultiDict

from idp.oidc.dpop import Proof
from idp.oidc.errors import OAuth2Error
from idp.oidc.oauth_client import OAuthClient

Presented = TypeVar("Presented")


@dataclass(frozen=True)
class Exchange(Generic[Presented]):
    """What a client that proved itself presents at the token endpoint, and what it stands for."""

    form: MultiDict[str, str]
    client: OAuthClient
    presented: Presented
    confirmation: str | None = None
    """The key that the client proved with this request, to which its tokens are bound."""
    proof: Proof | None = None
    """Of that key, where it came with one."""

    def spend_proof(self) -> None:
        """Let the proof work once, if there is one. Raises ``InvalidDpopProof``."""
        if self.proof is not None:
            self.proof.spend(self.client.get_client_id())


@dataclass(frozen=True, kw_only=True)
class GrantType(Generic[Presented]):
    """One ``grant_type`` (RFC 6749 §4). Its checks run in this order, and raise ``OAuth2Error``."""

    name: str
    parameter: str
    """The parameter that holds the code or token."""
    unknown: str | None
    """How the error describes what is not found, or is another client's."""
    refusal: type[OAuth2Error] = InvalidGrantError
    """The error for that."""
    find: Callable[[str], Presented | None]
    checks: tuple[Callable[[Exchange[Presented]], None], ...]
    redeem: Callable[[Exchange[Presented]], dict[str, Any]]
    spends_proof: bool = False
    """``redeem`` keeps the proof's row together with its own, and a check that changes something
    spends it before. Of the others it is spent before anything is checked."""
