"""What an application would be told, made by the code that tells it, and of no use to anybody.

The claims of a sample are the real ones. Its token is not: its audience is nobody, it expired
when it was made, and its key is in no key set and dies with the process.
"""

import hashlib
from dataclasses import dataclass
from datetime import timedelta
from functools import cache
from typing import Any, Final

from joserfc.jwk import ECKey, KeyParameters, OKPKey, RSAKey
from werkzeug.datastructures import MultiDict

from idp import clock
from idp.clients.models import Client
from idp.database import base64url
from idp.database.prepared import made_row
from idp.oidc import authorization_request, id_token, userinfo
from idp.oidc.authorization_request import AuthorizationRequest
from idp.oidc.keys import SigningKey
from idp.oidc.models import GrantRow
from idp.oidc.oauth_client import OAuthClient
from idp.oidc.tokens import LiveGrant
from idp.people.models import AccountRow, ChildRow, School
from idp.sessions.assurance import SINGLE_FACTOR

NOBODY: Final = "specimen"
"""The id of what is made up. Nothing has it: real ids are a prefix and 128 random bits."""
_KID: Final = "specimen-not-published"


_VERIFIER: Final = b"specimen-verifier-specimen-verifier-specimen-verifier"


@dataclass(frozen=True)
class SampleToken:
    """The two answers that an application reads, and the token as it would come."""

    header: dict[str, Any]
    claims: dict[str, Any]
    token: str
    userinfo: dict[str, Any]


def sample_parameters(client: Client) -> dict[str, str]:
    """The parameters of this application's request for all that it may ask for."""
    if "authorization_code" not in client.metadata_["grant_types"]:
        # RFC 8628 §3.1: what a screen sends
        return {"client_id": client.id, "scope": client.metadata_["scope"]}
    return {
        "response_type": "code",
        "client_id": client.id,
        "redirect_uri": client.metadata_["redirect_uris"][0],
        "scope": client.metadata_["scope"],
        "state": "specimen-state",
        "nonce": "specimen-nonce",
        "code_challenge": base64url(hashlib.sha256(_VERIFIER).digest()),
        "code_challenge_method": "S256",
    }


def parse_sample(client: Client, parameters: dict[str, str]) -> AuthorizationRequest:
    """The request as the authorization endpoint reads it, after its own checks."""
    values = MultiDict(parameters)
    known = OAuthClient(client)
    if "redirect_uri" in parameters:
        authorization_request.check(values, known)
    else:
        authorization_request.check_asked(values, known)
    return authorization_request.parse(values, known, hinted_subject=None)


def make_sample(live: LiveGrant, nonce: str | None) -> SampleToken:
    """The answers for a grant that was never given."""
    alg: str = live.client.metadata_["id_token_signed_response_alg"]
    claims = id_token.claims(live, access_token=NOBODY, nonce=nonce)
    claims |= {"aud": f"{NOBODY}:{live.client.id}", "exp": claims["iat"] - 1}
    token = id_token.signed(claims, alg, _key(alg))
    return SampleToken({"alg": alg, "kid": _KID}, claims, token, userinfo.answer(live))


def sample_grant(
    client: Client, scope: str, account: AccountRow, child: ChildRow | None, relationship: str
) -> LiveGrant:
    """A grant as the guardian would give it by allowing all that is registered."""
    now = clock.now()
    row = made_row(
        GrantRow,
        id=NOBODY,
        account_id=account.id,
        client_id=client.id,
        session_id=NOBODY,
        child_id=child and child.id,
        child_selection=child and "only",
        child_selected_at=now if child else None,
        child_switchable=False,
        scope=scope,
        claims=None,
        auth_time=now - timedelta(minutes=1),
        auth_time_proved=True,
        amr="pwd",
        acr=SINGLE_FACTOR,
        resource=None,
        ended_at=None,
    )
    allowed = frozenset(client.metadata_["child_fields"])
    return LiveGrant(row, account, client, scope, child, relationship, allowed)


def sample_guardian() -> AccountRow:
    """A guardian whom nobody can take for one."""
    return made_row(
        AccountRow,
        id=NOBODY,
        subject_id=NOBODY,
        username="specimen",
        email="specimen@school.example",
        email_verified_at=None,
        given_name="Camille",
        family_name="Spécimen",
        locale="fr",
        status="active",
        credentials_epoch=0,
        updated_at=clock.now(),
    )


def sample_pupil(school: School) -> ChildRow:
    """Their child, at a real school."""
    return made_row(
        ChildRow,
        id=NOBODY,
        school_id=school.id,
        subject_id=f"{NOBODY}-child",
        given_name="Alix",
        family_name="Spécimen",
        class_name="3B",
        sourced_id="SPECIMEN-1",
        school_name=school.name,
    )


@cache
def _key(alg: str) -> SigningKey:
    parameters: KeyParameters = {"kid": _KID}
    if alg in {"RS256", "PS256"}:
        return RSAKey.generate_key(2048, parameters)
    if alg == "ES256":
        return ECKey.generate_key("P-256", parameters)
    return OKPKey.generate_key("Ed25519", parameters)
