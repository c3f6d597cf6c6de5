"""The first tokens of a grant: what a browser's code and a screen's code are redeemed for."""

from typing import Any

from sqlalchemy import Update

from idp import clock, settings
from idp.clients import used
from idp.database import hashes, retried
from idp.database.atomic_insert import AtomicInsert, Fate, InsertOnce
from idp.oidc import access_token as access_tokens
from idp.oidc import consent, id_token, resources, sender, tokens
from idp.oidc.grants import Exchange
from idp.oidc.tokens import LiveGrant


def is_allowed(live: LiveGrant, consented: str | None) -> bool:
    """Whether a grant may have its first tokens: of a third party, by what the guardian allows now
    (security rule C5). ``consented``: what ``tokens.with_consent`` has read.
    """
    return consent.covers(consented, live.scopes, live.client.metadata_)


class FirstTokens:
    """Gives them in one statement, whose ``gate`` redeems the code with the hash ``:hash`` at the
    time ``:now``, once.
    """

    def __init__(self, gate: Update) -> None:
        tables = (tokens.ACCESS_TOKENS, tokens.REFRESH_TOKENS)
        self._give = {
            # By how many tokens there are
            count: AtomicInsert(*tables[:count], gate=gate)
            for count in (1, 2)
        }
        self._give_and_spend = {
            count: InsertOnce(used.ROWS, *tables[:count], gate=gate) for count in (1, 2)
        }

    def redeem(
        self, exchange: Exchange[Any], live: LiveGrant, code_hash: str, nonce: str | None
    ) -> dict[str, Any] | None:
        """Sign, then redeem: no lock is held meanwhile. What was signed leaves us only if the
        redemption happens, which holds the guardianship (security rule C6).

        None where the code can't be redeemed (any more). Raises ``InvalidTarget``.
        """
        resource = resources.of_token(exchange.form, exchange.client, live.grant.resource)
        access_token = access_tokens.new(live, resource, exchange.confirmation)
        answer = token_answer(access_token, live.scope, exchange.confirmation)
        if "offline_access" in live.scopes and exchange.client.check_grant_type("refresh_token"):
            answer["refresh_token"] = tokens.new_text()
        answer["id_token"] = id_token.issue(live, access_token=access_token, nonce=nonce)
        access = tokens.access_row(
            access_token, live.grant, live.scope, exchange.confirmation, resource
        )
        kept = self._keep(exchange, live, code_hash, access, answer.get("refresh_token"))
        return answer if kept else None

    @retried
    def _keep(
        self,
        exchange: Exchange[Any],
        live: LiveGrant,
        code_hash: str,
        access: dict[str, Any],
        refresh_token: str | None,
    ) -> bool:
        gate = {"hash": code_hash, "now": clock.now()}
        rows = {"access_tokens": access}
        if refresh_token is not None:
            bound = sender.of_refresh_token(exchange.client, exchange.confirmation)
            rows["refresh_tokens"] = tokens.refresh_row(
                refresh_token, live.grant, live.scope, bound
            )
        proof = exchange.proof
        if proof is not None and hashes.are_several():
            proof.spend(exchange.client.get_client_id())
        if proof is None or proof.spent:
            return self._give[len(rows)].execute(gate, **rows)
        row = proof.row(exchange.client.get_client_id())
        fate = self._give_and_spend[len(rows)].execute(gate, used_assertions=row, **rows)
        if fate is Fate.BEFORE:
            raise proof.was_used()
        proof.spent = True
        return fate is Fate.IN


def token_answer(access_token: str, scope: str, confirmation: str | None = None) -> dict[str, Any]:
    """The successful answer of RFC 6749 §5.1."""
    lifetime = int(settings.current().access_token_lifetime.total_seconds())
    return {
        "access_token": access_token,
        "token_type": sender.token_type(confirmation),
        "expires_in": lifetime,
        "scope": scope,
    }
