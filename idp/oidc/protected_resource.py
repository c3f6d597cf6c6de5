"""What our own access tokens open, described for applications (RFC 9728): UserInfo."""

from typing import Any, Final
from urllib.parse import urlsplit

from idp import settings
from idp.clients.metadata import SCOPES
from idp.oidc import dpop

WELL_KNOWN: Final = "/.well-known/oauth-protected-resource"
_NO_CLAIMS: Final = frozenset({"offline_access"})


def userinfo() -> str:
    """UserInfo's resource identifier (§1.2): its address."""
    return f"{settings.current().issuer}/oauth2/userinfo"


def own_resources() -> tuple[str, str]:
    """The resources that every access token without another audience is for: UserInfo, and the
    provider itself, by which applications name it that know nothing but the issuer.
    """
    return userinfo(), settings.current().issuer


def address_of_metadata() -> str:
    """Where UserInfo's metadata is: the well-known path goes between host and path (§3.1)."""
    place = urlsplit(userinfo())
    return f"{place.scheme}://{place.netloc}{WELL_KNOWN}{place.path}"


def metadata(path: str) -> dict[str, Any] | None:
    """The document of the resource at ``path`` of our host; None where there is none.

    §3.3: it names the very resource whose path was asked for.
    """
    for resource in own_resources():
        if urlsplit(resource).path == path.rstrip("/"):
            return _document(resource)
    return None


def _document(resource: str) -> dict[str, Any]:
    return {
        "resource": resource,
        "resource_name": "UserInfo",
        "authorization_servers": [settings.current().issuer],
        "scopes_supported": [scope for scope in SCOPES if scope not in _NO_CLAIMS],
        # A token in the query is refused (RFC 9700 §4.3.2)
        "bearer_methods_supported": ["header", "body"],
        "dpop_signing_alg_values_supported": list(dpop.ALGORITHMS),
    }
