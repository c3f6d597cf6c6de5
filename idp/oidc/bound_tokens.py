"""An access token and the proof about it, in one look: the token is found and the proof is spent by
one statement (RFC 9449 §7.1, §11.1).
"""

from typing import Any, Final

from sqlalchemy import bindparam, func, literal_column, select
from sqlalchemy.dialects import postgresql

from idp import clock
from idp.clients import kept
from idp.clients.models import UsedAssertion
from idp.database import ID_LENGTH, db, hashes, in_transaction, keyed_hash
from idp.database.atomic_insert import unwaited
from idp.database.prepared import Prepared
from idp.oidc import sender, tokens
from idp.oidc.dpop import Proof
from idp.oidc.models import AccessToken, AccessTokenRow, Grant
from idp.oidc.tokens import FoundToken


def find(text: str, proof: Proof | None) -> FoundToken | None:
    """The access token of this text, as ``tokens.find_access``. A good proof of the key that it is
    bound to is spent, unless it was used before or the token is worth nothing (security rule N6).
    """
    if proof is None or in_transaction() or db.engine.dialect.name != "postgresql":
        return tokens.find_access(text)
    if hashes.are_several():  # kept under each key, and so by ``Proof.spend``
        return tokens.find_access(text)
    match = _FIND_AND_SPEND.one_or_none(
        token_hash=keyed_hash("access token", text),
        bound=sender.by_key(proof.jkt),
        now=clock.now(),
        **proof.row(""),
    )
    if match is None:
        return None
    token, proof.spent = match
    return token


def _find_and_spend() -> Any:
    """WITH spent AS (INSERT … of a live token that is bound to this key) SELECT the token, …"""
    its_client = func.substr(Grant.client_id, 1, ID_LENGTH)
    columns = UsedAssertion.__table__.c
    values = {
        name: bindparam(name, type_=columns[name].type, required=True)
        for name in ("jti_hash", "expires_at")
    }
    live = (
        unwaited(*values.values(), its_client)
        .join_from(AccessToken, Grant, Grant.id == AccessToken.grant_id)
        .where(
            AccessToken.token_hash == bindparam("token_hash"),
            AccessToken.confirmation == bindparam("bound"),
            AccessToken.expires_at > bindparam("now"),
            AccessToken.revoked_at.is_(None),
            Grant.ended_at.is_(None),
        )
    )
    spent = (
        postgresql.insert(UsedAssertion)
        .from_select([*values, "client_id"], live, include_defaults=False)
        .on_conflict_do_nothing()
        .returning(literal_column("1"))
        .cte("spent")
    )
    count = select(func.count()).select_from(spent).scalar_subquery()
    return tokens.finding(AccessToken, AccessTokenRow).add_columns(count)


def _with_spent(*parts: Any) -> tuple[FoundToken, bool]:
    *of_token, spent = parts
    return FoundToken("access_token", *of_token), bool(spent)


_FIND_AND_SPEND: Final[Prepared[tuple[FoundToken, bool]]] = Prepared(
    _find_and_spend(),
    AccessTokenRow,
    *tokens.OF_GRANT,
    into=kept.with_client(_with_spent, 1 + tokens.CLIENT_OF_GRANT),
)
