"""Signed authorization answers (JARM: JWT Secured Authorization Response Mode)."""

from datetime import timedelta
from typing import Any, Final

from joserfc import jwt

from idp import clock
from idp.clients import profiles
from idp.clients.models import ClientRow
from idp.oidc import encryption
from idp.oidc.keyring import keyring

LIFETIME: Final = timedelta(minutes=5)
"""JARM §2.1 recommends ten minutes at most; the code in it lives shorter still."""
DEFAULT_ALGORITHM: Final = "RS256"  # JARM §3


def signed(client: ClientRow, fields: list[tuple[str, str]]) -> str:
    """The fields of an answer, ``iss`` among them, as a JWT for this client (JARM §2.1), encrypted
    for it where its registration says so (§2.2).
    """
    alg = _algorithm(client.metadata_)
    key = keyring().signing_key(alg)
    ends = clock.timestamp() + int(LIFETIME.total_seconds())
    claims = {**dict(fields), "aud": client.id, "exp": ends}
    token = jwt.encode({"alg": alg, "kid": key.kid}, claims, key, algorithms=[alg])
    return encryption.for_client("authorization", token, client, nested=True)


def _algorithm(metadata: dict[str, Any]) -> str:
    usual = DEFAULT_ALGORITHM
    if profiles.is_fapi2(metadata):  # FAPI 2.0 §5.4.1: not RS256
        usual = metadata["id_token_signed_response_alg"]
    alg: str = metadata.get("authorization_signed_response_alg", usual)
    return alg
