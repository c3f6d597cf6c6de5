"""Sender-constrained tokens: the key that a token is bound to, and who may use it.

A *confirmation* is how a token keeps it (RFC 7800): ``jkt:`` and the thumbprint of a DPoP key
(RFC 9449 §6), or ``x5t#S256:`` and that of a client certificate (RFC 8705 §3).
"""

import hmac
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final

from authlib.oauth2.rfc6749 import InvalidRequestError

from idp.oidc import client_certificate, dpop
from idp.oidc.dpop import Proof
from idp.oidc.errors import (
    DpopTokenMisused,
    InvalidDpopProof,
    InvalidTokenError,
    UseDpopNonce,
)
from idp.oidc.oauth_client import OAuthClient
from idp.oidc.requests import ProtocolRequest

_JKT: Final = "jkt:"
_X5T: Final = "x5t#S256:"


def by_key(jkt: str) -> str:
    """The confirmation of a DPoP key."""
    return _JKT + jkt


def by_certificate(thumbprint: str) -> str:
    """The confirmation of a client certificate."""
    return _X5T + thumbprint


def is_dpop(confirmation: str | None) -> bool:
    """Whether a token is bound to a DPoP key."""
    return confirmation is not None and confirmation.startswith(_JKT)


def token_type(confirmation: str | None) -> str:
    """The ``token_type`` of an access token (RFC 9449 §5; a certificate changes nothing)."""
    return "DPoP" if is_dpop(confirmation) else "Bearer"


def cnf(confirmation: str | None) -> dict[str, Any]:
    """The ``cnf`` member of what is told about a token (RFC 9449 §6.2, RFC 8705 §3.2)."""
    if confirmation is None:
        return {}
    kind, _, thumbprint = confirmation.partition(":")
    return {"cnf": {kind: thumbprint}}


@dataclass(frozen=True)
class Proved:
    """To what the tokens of a request are bound, and the proof of that, which is not spent yet."""

    confirmation: str | None
    proof: Proof | None = None


def proved_at_token_endpoint(request: ProtocolRequest, client: OAuthClient) -> Proved:
    """To what the tokens of this request are bound: to the key of its proof, or its certificate.

    Asked once the client has proved itself. Raises ``InvalidDpopProof``, ``UseDpopNonce``, or
    ``InvalidRequestError`` where the registration asks for a certificate.
    """
    proof = dpop.proof_of(request)
    if proof is not None:
        return Proved(by_key(proof.jkt), proof)
    if client.client_metadata.get("dpop_bound_access_tokens"):
        raise InvalidDpopProof("This client's requests need a DPoP proof")  # RFC 9449 §5.2
    return Proved(_certificate_of(request, client))


def proof_with_push(request: ProtocolRequest, named: str | None) -> Proof | None:
    """The proof of a pushed request, not spent yet: its key must be the one that ``dpop_jkt``
    names, if it does (RFC 9449 §10.1). Raises ``InvalidDpopProof`` or ``UseDpopNonce``.
    """
    proof = dpop.proof_of(request)
    if proof is not None and named not in (None, proof.jkt):
        raise InvalidDpopProof("The DPoP proof's key is not the one of dpop_jkt")
    return proof


def _certificate_of(request: ProtocolRequest, client: OAuthClient) -> str | None:
    """RFC 8705 §3: the certificate of the connection, where the registration says so."""
    if not client.client_metadata.get("tls_client_certificate_bound_access_tokens"):
        return None
    certificate = client_certificate.presented(request)
    if certificate is None:
        raise InvalidRequestError("This client's requests need a client certificate")
    return by_certificate(certificate.thumbprint)


def of_refresh_token(client: OAuthClient, confirmation: str | None) -> str | None:
    """To what its refresh tokens are bound: those of a public client to its key; others hang on
    the client's own authentication (RFC 9449 §5, RFC 8705 §4).
    """
    return confirmation if client.public else None


def is_same(bound: str, proved: str | None) -> bool:
    """Whether what was proved is what a token is bound to."""
    return hmac.compare_digest(bound, proved or "")


def proof_beforehand(request: ProtocolRequest, scheme: str, access_token: str) -> Proof | None:
    """A good proof about an access token that is not looked up yet, so that one statement can find
    the token and spend the proof. What is wrong with one, ``check_use`` says: first the token.
    """
    if scheme != "dpop":
        return None
    with suppress(InvalidDpopProof, UseDpopNonce):
        return dpop.proof_of(request, access_token)
    return None


def check_use(
    request: ProtocolRequest,
    scheme: str,
    access_token: str,
    bound: str | None,
    client_id: str,
    proof: Proof | None = None,
) -> None:
    """Refuse an access token whose user does not prove its key, or that comes by another scheme
    than its own (RFC 9449 §7). ``proof``: from ``proof_beforehand``.

    Raises ``DpopTokenMisused``, ``InvalidDpopProof`` or ``UseDpopNonce``.
    """
    if not is_dpop(bound):
        if scheme == "dpop":
            raise DpopTokenMisused("The access token is not bound to a key")
        if bound is not None:
            _check_certificate(request, bound)
        return
    if scheme != "dpop":
        raise DpopTokenMisused("The access token is bound to a key: use the DPoP scheme")
    proof = proof or dpop.proof_of(request, access_token)
    if proof is None:
        raise InvalidDpopProof("The DPoP proof is missing")
    if not is_same(bound or "", by_key(proof.jkt)):
        raise DpopTokenMisused("The access token is bound to another key")
    proof.spend(client_id)


def _check_certificate(request: ProtocolRequest, bound: str) -> None:
    # RFC 8705 §3: the certificate of this connection, or invalid_token
    certificate = client_certificate.presented(request)
    proved = by_certificate(certificate.thumbprint) if certificate else None
    if not is_same(bound, proved):
        raise InvalidTokenError("The access token is bound to another client certificate")
