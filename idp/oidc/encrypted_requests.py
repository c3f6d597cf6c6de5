"""Encrypted request objects (OpenID Connect Core §6.1, RFC 9101 §6.1): signed by the application,
then encrypted with a key of ours.

Whatever is wrong with the encryption is told alike, so that nobody learns what a key of ours makes
of a text (RFC 7516 §11.5).
"""

import json
from base64 import urlsafe_b64decode
from typing import Final

from authlib.oauth2.rfc9101.errors import InvalidRequestObjectError
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.keywrap import InvalidUnwrap
from joserfc import jwe
from joserfc.errors import JoseError

from idp.oidc.key_files import OurKey
from idp.oidc.keyring import keyring
from idp.oidc.oauth_client import OAuthClient

_UNOPENED: Final = (
    *(JoseError, InvalidTag, InvalidUnwrap),
    *(ValueError, TypeError, KeyError, AttributeError, OverflowError, RecursionError),
)


def is_encrypted(text: str) -> bool:
    """Whether a request object is encrypted: five parts (RFC 7516 §3.1)."""
    return text.count(".") == 4


def opened(text: str, client: OAuthClient) -> str:
    """The signed object within, of which nothing is known yet.

    Raises ``InvalidRequestObjectError``.
    """
    alg = client.client_metadata.get("request_object_encryption_alg")
    if alg is None:
        raise InvalidRequestObjectError("The application is not registered for encryption")
    algorithms = [alg, client.client_metadata["request_object_encryption_enc"]]
    try:
        header = json.loads(urlsafe_b64decode(text.partition(".")[0] + "=="))
        # RFC 8725 §3.6: what was compressed tells by its length, and may be endless
        if "zip" not in header:
            for key in keyring().decryption_keys(header.get("kid")):
                if (inner := _opened(text, key, algorithms)) is not None:
                    return inner
    except _UNOPENED:
        pass
    raise InvalidRequestObjectError("The request object can't be decrypted")


def _opened(text: str, key: OurKey, algorithms: list[str]) -> str | None:
    if (key.key_type == "RSA") is not (algorithms[0] == "RSA-OAEP-256"):
        return None
    try:
        message = jwe.decrypt_compact(text.encode(), key, algorithms=algorithms)
    except _UNOPENED:
        return None
    return (message.plaintext or b"").decode()
