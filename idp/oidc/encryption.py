"""Encrypted answers (OpenID Connect Core §10.2): signed first where they are signed, then encrypted
for a key of the application.
"""

from typing import Any

from authlib.oauth2.rfc6749 import InvalidRequestError
from joserfc import jwe

from idp.clients import encrypted_answers, key_sets
from idp.clients.models import ClientRow
from idp.outgoing.trouble import Trouble


def for_client(answer: str, text: str, client: ClientRow, *, nested: bool) -> str:
    """The text of an answer (``id_token``, ``userinfo``) as this client wants it.

    ``nested``: it is a JWT (RFC 7519 §5.2). Raises ``InvalidRequestError`` where the client
    publishes no key that fits (any more).
    """
    alg = client.metadata_.get(f"{answer}_encrypted_response_alg")
    if alg is None:
        return text
    enc = client.metadata_[f"{answer}_encrypted_response_enc"]
    try:
        keys = key_sets.client_keys(client).keys
    except Trouble as trouble:
        reason = f"The keys at the jwks_uri can't be read: {trouble.reason}"
        raise InvalidRequestError(reason) from None
    # Those that say that they are for this come first
    fitting = sorted(
        (key for key in keys if encrypted_answers.fits(key, alg)),
        key=lambda key: key.get("use") is None,
    )
    if not fitting:
        raise InvalidRequestError(f"No key of the application fits {alg}")
    header: dict[str, Any] = {"alg": alg, "enc": enc, "kid": fitting[0].kid}
    if nested:
        header["cty"] = "JWT"
    return jwe.encrypt_compact(header, text, fitting[0], algorithms=[alg, enc])
