"""The claims about a guardian and the chosen child, for ID tokens and UserInfo."""

from collections.abc import Callable
from collections.abc import Set as AbstractSet
from typing import Any, Final
from urllib.parse import urlsplit

from idp import settings
from idp.clients.metadata import has_made_up_email
from idp.clients.models import ClientRow
from idp.oidc import child_claim, subjects
from idp.oidc.claims_parameter import SCOPE_OF_CLAIM
from idp.oidc.tokens import LiveGrant
from idp.people.models import AccountRow

_OF_GUARDIAN: Final[dict[str, Callable[[AccountRow], Any]]] = {
    "name": lambda account: account.full_name,
    "given_name": lambda account: account.given_name,
    "family_name": lambda account: account.family_name or None,  # Core §5.1: some have none
    "preferred_username": lambda account: account.username,
    "locale": lambda account: account.locale,
    "updated_at": lambda account: int(account.updated_at.timestamp()),
    "email": lambda account: account.email,
    # An address that the school gave proves nothing; one that its holder answered from does.
    "email_verified": lambda account: (
        account.email_verified_at is not None if account.email else None
    ),
}
CLAIMS_OF_SCOPE: Final = {
    "profile": frozenset(
        {"name", "given_name", "family_name", "preferred_username", "locale", "updated_at"}
    ),
    "email": frozenset({"email", "email_verified"}),
}
"""OpenID Connect Core §5.4."""
SUPPORTED: Final = (
    *("sub", "iss", "aud", "exp", "iat", "auth_time", "nonce", "acr", "amr", "sid", "at_hash"),
    *_OF_GUARDIAN,
    "child",
)


def guardian_claims(live: LiveGrant, names: AbstractSet[str]) -> dict[str, Any]:
    """The named claims, without those that have no value (Core §5.3.2)."""
    values = {name: read(live.account) for name, read in _OF_GUARDIAN.items() if name in names}
    if has_made_up_email(live.client.metadata_):
        made_up = {"email": _made_up_email(live.account, live.client), "email_verified": False}
        values |= {name: value for name, value in made_up.items() if name in names}
    return {name: value for name, value in values.items() if value is not None}


def registered_for_id_token(live: LiveGrant) -> set[str]:
    """The claims that this client's ID tokens hold by registration, of the scopes granted."""
    names: list[str] = live.client.metadata_.get("id_token_claims", [])
    return {name for name in names if SCOPE_OF_CLAIM[name] in live.scopes}


def _made_up_email(account: AccountRow, client: ClientRow) -> str:
    """For software that takes people of one address for one person, or needs an address: one
    for each guardian, the same at each sign-in, at which nobody reads mail.
    """
    host = urlsplit(settings.current().issuer).hostname
    return f"{subjects.of_guardian(account, client)}@{host}"


def child_claims(live: LiveGrant, *, userinfo: bool) -> dict[str, Any]:
    """The ``child`` claim of a live grant; nothing where none was chosen."""
    if live.child is None:
        return {}
    return child_claim.claims_for(
        live.grant,
        live.child,
        live.relationship,
        live.client,
        userinfo=userinfo,
        issuer=settings.current().issuer,
        allowed=live.allowed,
    )
