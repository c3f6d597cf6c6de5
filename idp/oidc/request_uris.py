"""Request objects by reference (RFC 9101 §5.2; OpenID Connect Core §6.2): read where the client has
registered them, by the guarded fetcher (security rule R14).
"""

import hashlib
from collections import OrderedDict
from threading import Lock
from typing import Final

from authlib.oauth2.rfc9101.errors import InvalidRequestUriError

from idp.database import base64url
from idp.oidc.oauth_client import OAuthClient
from idp.outgoing import guarded
from idp.outgoing.trouble import Trouble

TYPE: Final = "application/oauth-authz-req+jwt"  # RFC 9101 §5.2.3
MOST_KEPT: Final = 100
"""Objects of 64 KiB at most that a worker keeps."""

_kept: Final[OrderedDict[str, str]] = OrderedDict()
_lock: Final = Lock()


def are_registered(client: OAuthClient) -> bool:
    """Whether this client may send requests by reference at all."""
    return bool(client.client_metadata.get("request_uris"))


def read(uri: str, client: OAuthClient) -> str:
    """The request object at this address of the client's. Raises ``InvalidRequestUriError``."""
    address, _, fragment = uri.partition("#")
    # Registration §2: the fragment is the hash of what stands there, and may change with it.
    if not {uri, address} & set(client.client_metadata.get("request_uris", ())):
        raise InvalidRequestUriError("The request_uri is not registered")
    kept = _kept.get(fragment) if fragment else None
    if kept is not None:
        return kept
    try:
        answer = guarded.fetch(address, accept=f"{TYPE}, */*;q=0.5")
    except Trouble as trouble:
        raise InvalidRequestUriError(f"The request_uri can't be read: {trouble.reason}") from None
    if answer.status != 200:
        raise InvalidRequestUriError(f"The request_uri can't be read: status {answer.status}")
    text = answer.body.decode("ascii", "replace").strip()
    # Core §6.2: what is named by its hash does not change, and is asked for once.
    if fragment == base64url(hashlib.sha256(answer.body).digest()):
        _keep(fragment, text)
    return text


def _keep(fragment: str, text: str) -> None:
    with _lock:
        _kept[fragment] = text
        while len(_kept) > MOST_KEPT:
            _kept.popitem(last=False)
