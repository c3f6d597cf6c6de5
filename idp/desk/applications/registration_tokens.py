"""The tokens by which applications register themselves, for who may register applications.

They are the platform's: whoever makes one names the schools that such applications serve.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import func, select

from idp import clock
from idp.clients import registration_tokens
from idp.clients.models import Client, RegistrationToken
from idp.clients.registration_tokens import Made
from idp.database import db, retried
from idp.desk.access.acts import act_for_platform
from idp.desk.access.rights import Right, Staff
from idp.errors import NotFound
from idp.lifecycle.self_registration import OPEN
from idp.people.models import Account, School

AT_COMMAND_LINE: Final = "cli"
"""Who did something there, as the audit log calls them."""


@dataclass(frozen=True)
class ListedToken:
    """A token, and what became of it."""

    token: RegistrationToken
    used: int
    """How many applications have registered by it."""
    schools: Sequence[str]
    """The names of those that such applications serve."""
    maker: str
    """The name of whoever made it at the desk; empty otherwise."""

    @property
    def at_command_line(self) -> bool:
        """Whether it was made there."""
        return self.token.made_by == AT_COMMAND_LINE

    @property
    def state(self) -> str:
        """``works``, or why it does not: ``ended``, ``used_up``, ``expired``."""
        if self.token.ended_at is not None:
            return "ended"
        if self.token.uses_left == 0:
            return "used_up"
        return "works" if self.token.expires_at > clock.now() else "expired"


@dataclass(frozen=True)
class Registrar:
    """Who registered an application, and when."""

    at: datetime
    kind: str
    """``person``, ``command``, ``token`` and ``open`` (by itself); empty where nobody knows."""
    name: str = ""
    """The person's, or for whom the token was."""


@retried
def make(staff: Staff, label: str, **bounds: Any) -> Made:
    """Make a token, which can be seen this once; ``bounds``: see ``registration_tokens.create``.

    Raises ``Invalid`` naming the field, ``Conflict`` where this id is there already, and
    ``NotFound`` for who may not.
    """
    with act_for_platform(staff, Right.EDIT_CLIENTS):
        return registration_tokens.create(label, **bounds)


@retried
def end(staff: Staff, token_id: str) -> bool:
    """Let a token work no more; False where it had ended before. Raises ``NotFound``."""
    with act_for_platform(staff, Right.EDIT_CLIENTS):
        return registration_tokens.end(token_id)


def listed(staff: Staff) -> list[ListedToken]:
    """Every token, the newest first; four queries. Raises ``NotFound`` for who may not."""
    if not staff.school_scope(Right.EDIT_CLIENTS).everywhere:
        raise NotFound("platform")
    rows = registration_tokens.list_tokens()
    used = _used([row.id for row in rows])
    schools = _school_names({school_id for row in rows for school_id in row.schools})
    makers = names_of({row.made_by for row in rows if row.made_by})
    return [
        ListedToken(
            row,
            used.get(row.id, 0),
            sorted(schools[each] for each in row.schools if each in schools),
            makers.get(row.made_by or "", ""),
        )
        for row in rows
    ]


def registrar_of(client: Client) -> Registrar:
    """Who registered it; two queries."""
    by, at = client.registered_by or client.made_by or "", client.created_at
    if by in {AT_COMMAND_LINE, OPEN}:
        return Registrar(at, "command" if by == AT_COMMAND_LINE else "open")
    if (token := registration_tokens.get_token(by)) is not None:
        return Registrar(at, "token", token.label)
    name = names_of({by} - {""}).get(by)
    return Registrar(at, "person", name) if name else Registrar(at, "")


def names_of(account_ids: set[str]) -> dict[str, str]:
    """What these people are called; one query."""
    accounts = db.session.scalars(select(Account).where(Account.id.in_(account_ids)))
    return {account.id: account.full_name for account in accounts}


def _used(token_ids: Sequence[str]) -> dict[str, int]:
    rows = db.session.execute(
        select(Client.registered_by, func.count())
        .where(Client.registered_by.in_(token_ids))
        .group_by(Client.registered_by)
    )
    return {token_id: count for token_id, count in rows if token_id}


def _school_names(school_ids: set[str]) -> dict[str, str]:
    rows = db.session.execute(select(School.id, School.name).where(School.id.in_(school_ids)))
    return {row.id: row.name for row in rows}
