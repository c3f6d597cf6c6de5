"""Initial access tokens: who may register an application by themselves, and for whom (RFC 7591 §3).

A token names the schools that such applications serve and the scopes that they may ask for; it
works so many times and until its end. What was registered by it stays within these bounds.
"""

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from sqlalchemy import ColumnElement, select
from sqlalchemy.exc import IntegrityError

from idp import clock, correlation
from idp.audit import events
from idp.clients.metadata import SCOPES
from idp.clients.models import Client, RegistrationToken
from idp.database import db, keyed_hash, transaction, update_all
from idp.errors import Conflict, Invalid, NotFound
from idp.people.models import NAME_LENGTH, School

MOST_USES: Final = 1000
LONGEST: Final = timedelta(days=366)


@dataclass(frozen=True)
class Made:
    """A token, in clear: the only moment when it can be seen."""

    row: RegistrationToken
    text: str


def create(
    label: str,
    *,
    school_ids: Sequence[str],
    uses: int,
    lifetime: timedelta,
    scope: str,
    pkce_optional: bool = False,
    token_id: str | None = None,
) -> Made:
    """Make an initial access token. ``token_id``: the one that it is to have; sent twice, it is
    made once.

    Raises ``Invalid`` naming the field, and ``Conflict`` where this id is there already.
    """
    _check(label, uses, lifetime, scope)
    text = secrets.token_urlsafe(32)
    with transaction() as session:
        known = set(session.scalars(select(School.id).where(School.id.in_(school_ids))))
        if missing := set(school_ids) - known:
            raise Invalid("schools", "unknown_school", school=min(missing))
        row = RegistrationToken(
            token_hash=_hash(text),
            label=label.strip(),
            schools=sorted(known),
            scope=" ".join(each for each in SCOPES if each in scope.split()),
            pkce_optional=pkce_optional,
            uses_left=uses,
            made_by=correlation.current().actor or None,
            expires_at=clock.now() + lifetime,
        )
        if token_id is not None:
            row.id = token_id
        session.add(row)
        try:
            session.flush()
        except IntegrityError:  # the same form, sent twice
            raise Conflict("outdated", client=row.id) from None
        events.record("registration_token_made", token=row.id)
    return Made(row, text)


def list_tokens() -> list[RegistrationToken]:
    """Every initial access token, the newest first."""
    newest = RegistrationToken.created_at.desc()
    return list(db.session.scalars(select(RegistrationToken).order_by(newest)))


def end(token_id: str) -> bool:
    """Let a token work no more; what was registered by it stays. Raises ``NotFound``."""
    if db.session.get(RegistrationToken, token_id) is None:
        raise NotFound("registration token", token_id)
    with transaction():
        ended = update_all(
            RegistrationToken,
            RegistrationToken.id == token_id,
            RegistrationToken.ended_at.is_(None),
            ended_at=clock.now(),
        )
        if ended:
            events.record("registration_token_ended", token=token_id)
    return bool(ended)


def end_each(*which: ColumnElement[bool]) -> int:
    """End these of those that go on, in the caller's transaction; returns how many."""
    return update_all(
        RegistrationToken, *which, RegistrationToken.ended_at.is_(None), ended_at=clock.now()
    )


def end_management(*which: ColumnElement[bool]) -> int:
    """Let these applications manage their registration no more, in the caller's transaction;
    returns how many did.
    """
    managing = Client.registration_token_hash.is_not(None)
    stays = {"version": Client.version}  # the registration stays as it is
    return update_all(Client, *which, managing, registration_token_hash=None, **stays)


def find_usable(text: str) -> RegistrationToken | None:
    """The token of this text, if it works now."""
    return db.session.scalar(
        select(RegistrationToken).where(RegistrationToken.token_hash == _hash(text), *_usable())
    )


def get_token(token_id: str) -> RegistrationToken | None:
    """The token of this id, whether it still works or not."""
    return db.session.get(RegistrationToken, token_id)


def spend(token_id: str) -> bool:
    """Take one use of it, in the caller's transaction; False where none is left (any more)."""
    return bool(
        update_all(
            RegistrationToken,
            RegistrationToken.id == token_id,
            *_usable(),
            uses_left=RegistrationToken.uses_left - 1,
        )
    )


def _usable() -> tuple[ColumnElement[bool], ...]:
    return (
        RegistrationToken.ended_at.is_(None),
        RegistrationToken.uses_left > 0,
        RegistrationToken.expires_at > clock.now(),
    )


def _check(label: str, uses: int, lifetime: timedelta, scope: str) -> None:
    if not 1 <= len(label.strip()) <= NAME_LENGTH or not label.isprintable():
        raise Invalid("label", "text_length", most=NAME_LENGTH)
    if not 1 <= uses <= MOST_USES:
        raise Invalid("uses", "number_between", least=1, most=MOST_USES)
    if not timedelta(minutes=1) <= lifetime <= LONGEST:
        raise Invalid("expires", "number_between", least="1m", most=f"{LONGEST.days}d")
    words = scope.split()
    if "openid" not in words or not set(words) <= set(SCOPES):
        raise Invalid("scope", "no_scope", allowed=SCOPES[1:])


def _hash(text: str) -> str:
    return keyed_hash("initial access token", text)
