"""Consent: what a guardian allowed a third-party application, of themselves and of each child."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, NamedTuple

from sqlalchemy import and_, bindparam, select

from idp import clock
from idp.audit import events
from idp.clients.metadata import has_made_up_email
from idp.database import transaction
from idp.database.prepared import Prepared
from idp.oidc.models import ChildConsent, Consent
from idp.people import accounts


class _OneChild(NamedTuple):
    scope: str
    granted_at: datetime
    child_id: str | None
    fields: str


_ALLOWED: Final = Prepared(
    select(Consent.scope, Consent.granted_at, ChildConsent.child_id, ChildConsent.fields)
    .outerjoin(
        ChildConsent,
        and_(
            ChildConsent.account_id == Consent.account_id,
            ChildConsent.client_id == Consent.client_id,
            ChildConsent.withdrawn_at.is_(None),
        ),
    )
    .where(
        Consent.account_id == bindparam("account_id"),
        Consent.client_id == bindparam("client_id"),
        Consent.withdrawn_at.is_(None),
    ),
    into=_OneChild,
)


@dataclass(frozen=True)
class Allowed:
    """What a guardian allows one application at present."""

    scopes: frozenset[str]
    granted_at: datetime
    children: Mapping[str, frozenset[str]]
    """By the id of a child: the fields of the ``child`` claim."""


def allowed_now(account_id: str, client_id: str) -> Allowed | None:
    """What the guardian allows this application at present; None if nothing. One query."""
    rows = _ALLOWED.all(account_id=account_id, client_id=client_id)
    if not rows:
        return None
    children = {each.child_id: frozenset(each.fields.split()) for each in rows if each.child_id}
    return Allowed(frozenset(rows[0].scope.split()), rows[0].granted_at, children)


def about(scopes: Collection[str], *, made_up_email: bool) -> list[str]:
    """The scopes by which an application learns something about the guardian.

    ``made_up_email``: its addresses are made up. Who allowed them did not allow their own.
    """
    return [scope for scope in scopes if not (made_up_email and scope == "email")]


def covers(consented: str | None, scopes: Collection[str], metadata: Mapping[str, Any]) -> bool:
    """Whether these scopes of a grant were allowed. ``consented``: the scopes that the guardian
    allows, None where nothing. The schools' own applications need nobody's word.
    """
    if metadata["first_party"]:
        return True
    wanted = about(scopes, made_up_email=has_made_up_email(metadata))
    return consented is not None and set(consented.split()).issuperset(wanted)


def child_fields(
    account_id: str, client_id: str, child_id: str, metadata: dict[str, Any]
) -> frozenset[str]:
    """The fields of the ``child`` claim that this application gets about this child.

    A third party gets no more than what the guardian was told about this very child, with
    tokens from before too (security rules C5, N3 and O18).
    """
    registered = frozenset(metadata["child_fields"])
    if metadata["first_party"]:
        return registered
    allowed = allowed_now(account_id, client_id)
    return registered & (allowed.children.get(child_id, frozenset()) if allowed else frozenset())


def remember(
    account_id: str,
    client_id: str,
    scope: str,
    child_id: str | None = None,
    fields: Collection[str] = (),
) -> None:
    """Remember what the guardian allows; adds to what was allowed before.

    ``child_id``: the child that the page named; ``fields``: what it named of this child.
    """
    with transaction():
        accounts.lock_account(account_id)  # a double click waits here (security rule R4)
        _remember_scopes(account_id, client_id, scope)
        if child_id is not None:
            _remember_child(account_id, client_id, child_id, fields)
        events.record(
            "consent_given",
            account_id=account_id,
            client_id=client_id,
            child_id=child_id,
            scope=scope,
            child_fields=" ".join(sorted(fields)),
        )


def _remember_scopes(account_id: str, client_id: str, scope: str) -> None:
    with transaction() as session:
        consent = session.get(Consent, (account_id, client_id), populate_existing=True)
        if consent is None:
            consent = Consent(account_id=account_id, client_id=client_id, scope="")
            session.add(consent)
        if consent.withdrawn_at:
            consent.scope = consent.child_fields = ""
        consent.scope = " ".join(sorted({*consent.scope.split(), *scope.split()}))
        consent.granted_at = clock.now()
        consent.withdrawn_at = None


def _remember_child(
    account_id: str, client_id: str, child_id: str, fields: Collection[str]
) -> None:
    key = (account_id, client_id, child_id)
    with transaction() as session:
        consent = session.get(ChildConsent, key, populate_existing=True)
        if consent is None:
            consent = ChildConsent(
                account_id=account_id, client_id=client_id, child_id=child_id, fields=""
            )
            session.add(consent)
        before = set() if consent.withdrawn_at else set(consent.fields.split())
        consent.fields = " ".join(sorted({*before, *fields}))
        consent.granted_at = clock.now()
        consent.withdrawn_at = None
