"""What expires soon: tokens of guardians, former secrets of applications, signing keys."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import ColumnElement, func, or_, select

from idp import clock
from idp.clients.models import Client, ClientSchool
from idp.credentials import one_time_tokens
from idp.credentials.models import OneTimeToken
from idp.database import db
from idp.desk.access import scope
from idp.desk.access.rights import Right, Staff
from idp.desk.overview.traffic import whose
from idp.desk.printed_letters import recipients
from idp.oidc.keyring import keyring
from idp.oidc.keys import KeyTrouble
from idp.people.models import Account

SOON: Final = timedelta(days=3)
KEYS_ROTATED: Final = timedelta(days=365)
"""Signing keys are rotated once a year at least, as `idp check` says too."""
MOST: Final = 50


@dataclass(frozen=True)
class FormerSecret:
    """An application whose former secret works until then, beside its new one."""

    client_id: str
    name: str
    expires_at: datetime


@dataclass(frozen=True)
class KeyAge:
    """A signing key, since when it is what it is, and whether it should be rotated."""

    kid: str
    alg: str
    state: str
    since: datetime
    due: bool


def tokens_expiring(staff: Staff, school_id: str | None = None) -> int:
    """How many invited guardians hold a token that expires within three days; one query."""
    now = clock.now()
    live = (one_time_tokens.unspent(), OneTimeToken.expires_at.between(now, now + SOON))
    if school_id is None and staff.school_scope(Right.SEE_OVERVIEW).everywhere:
        holders = (
            select(func.count(OneTimeToken.account_id.distinct()))
            .join(Account, Account.id == OneTimeToken.account_id)
            .where(*live, Account.status == "invited")
        )
        return db.session.scalar(holders) or 0
    # That another school printed a letter is not told here (security rule C3)
    mailed: ColumnElement[bool] = OneTimeToken.outbox_id.is_not(None)
    if school_id is not None:
        mailed = or_(mailed, OneTimeToken.account_id.in_(recipients.have_a_letter(school_id)))
    # For each of a school's guardians by its key: as a join, PostgreSQL would look through the
    # tokens of the whole platform that expire so soon
    holds_one = (
        select(OneTimeToken.id)
        .where(OneTimeToken.account_id == Account.id, *live, mailed)
        .limit(1)
        .scalar_subquery()
    )
    query = select(func.count(Account.id)).where(
        Account.status == "invited", whose(staff, school_id, Account.id), holds_one.is_not(None)
    )
    return db.session.scalar(query) or 0


def former_secrets(staff: Staff, school_id: str | None = None) -> Sequence[FormerSecret]:
    """Applications of the school, or of the scope, with two secrets; those that end first."""
    school_scope = staff.school_scope(Right.SEE_OVERVIEW)
    serves = select(ClientSchool.client_id).where(scope.at(school_scope, ClientSchool.school_id))
    if school_id is not None:
        serves = serves.where(ClientSchool.school_id == school_id)
    query = (
        select(Client.id, Client.name, Client.previous_secret_expires_at)
        .where(
            Client.disabled_at.is_(None),
            Client.previous_secret_expires_at > clock.now(),
            Client.id.in_(serves),
        )
        .order_by(Client.previous_secret_expires_at)
        .limit(MOST)
    )
    return [FormerSecret(*row) for row in db.session.execute(query)]  # type: ignore[arg-type]


def signing_keys(staff: Staff) -> list[KeyAge]:
    """The platform's signing keys, for operators; none for a school's staff."""
    if not staff.is_operator:
        return []
    try:
        entries = keyring().entries()
    except KeyTrouble:
        return []  # `idp check` and the log say so
    now = clock.now()
    ages = []
    for entry in entries:
        since = datetime.fromisoformat(entry.retired_at or entry.signs_since or entry.created_at)
        due = entry.state == "current" and now - since > KEYS_ROTATED
        ages.append(KeyAge(entry.kid, entry.alg, entry.state, since, due))
    return ages
