"""The pushed authorization request endpoint (RFC 9126 §2): authenticate, read, check."""

from dataclasses import dataclass, replace
from typing import Final

from authlib.oauth2 import OAuth2Error
from authlib.oauth2.rfc6749 import InvalidRequestError
from werkzeug.datastructures import MultiDict

from idp.database import hashes
from idp.oidc import (
    authorization_parameters,
    authorization_request,
    logout,
    pushed_requests,
    request_ways,
    sender,
    server,
)
from idp.oidc.authorization_parameters import Refused
from idp.oidc.authorization_request import AuthorizationRequest
from idp.oidc.client_authentication import METHODS, authenticate, check_one_client
from idp.oidc.dpop import Proof
from idp.oidc.oauth_client import OAuthClient
from idp.oidc.requests import ProtocolRequest, check_request

_OF_AUTHENTICATION: Final = ("client_secret", "client_assertion", "client_assertion_type")


@dataclass(frozen=True)
class Pushed:
    """A validated request, of a client that has proved itself."""

    client: OAuthClient
    request: AuthorizationRequest
    proof: Proof | None
    """The proof that came with it, of the key that its code is bound to."""

    def keep(self) -> str:
        """Keep it, its proof is spent with that; returns its ``request_uri``. One insert each, by
        one statement. Raises ``InvalidDpopProof``.
        """
        if self.proof is None:
            return pushed_requests.keep(self.request)
        if hashes.are_several():
            self.proof.spend(self.client.get_client_id())
            return pushed_requests.keep(self.request)
        kept = pushed_requests.keep_once(self.request, self.proof.row(self.client.get_client_id()))
        if kept is None:
            raise self.proof.was_used()
        return kept


def pushed(request: ProtocolRequest) -> Pushed:
    """What was pushed, with all checked. Raises ``OAuth2Error``."""
    check_request(request)
    check_one_client(request)
    client = authenticate(request, METHODS, "par")
    try:
        read = _read(_parameters(request, client), client)
        return _bound(request, client, read)
    except OAuth2Error as error:
        error.redirect_uri = None  # RFC 9126 §2.3: the answer is JSON, whoever could be sent on
        raise


def _parameters(request: ProtocolRequest, client: OAuthClient) -> MultiDict[str, str]:
    """What the authorization endpoint would get (RFC 9126 §2.1)."""
    if "request_uri" in request.form:
        raise InvalidRequestError("A pushed request has no request_uri")
    sent = authorization_parameters.without(request.form, *_OF_AUTHENTICATION)
    sent.setlist("client_id", [client.get_client_id()])
    return sent


def _bound(request: ProtocolRequest, client: OAuthClient, read: AuthorizationRequest) -> Pushed:
    """RFC 9449 §10.1: a DPoP proof that comes with the push names the key of the code."""
    proof = sender.proof_with_push(request, read.dpop_jkt)
    if proof is None:
        return Pushed(client, read, None)
    return Pushed(client, replace(read, dpop_jkt=proof.jkt), proof)


def _read(parameters: MultiDict[str, str], client: OAuthClient) -> AuthorizationRequest:
    read = authorization_parameters.read(parameters, known=client)
    if isinstance(read, Refused):
        raise read.error
    assert isinstance(read, authorization_parameters.Read)  # none that was pushed before
    server.validated(read.parameters, read.client)
    request_ways.check_way(client, pushed=True, signed=read.signed)
    hint = logout.hinted_subject(read.parameters.get("id_token_hint"), client.record)
    return authorization_request.parse(
        read.parameters, client, hinted_subject=hint, signed=read.signed
    )
