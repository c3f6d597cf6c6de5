"""Consent: what a guardian allowed a third-party application."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import func, select

from idp import clock
from idp.audit import events
from idp.clients.models import Client
from idp.database import db, transaction
from idp.oidc.models import Consent, Grant
from idp.people import service as people


@dataclass(frozen=True)
class Allowed:
    """An application that knows a guardian; ``last_used_at`` is its last grant."""

    client: Client
    scope: str
    granted_at: datetime
    last_used_at: datetime | None


def given(account_id: str, client_id: str) -> Consent | None:
    """What the guardian allows this application at present; None if nothing."""
    consent = db.session.get(Consent, (account_id, client_id))
    return consent if consent is not None and consent.withdrawn_at is None else None


def child_fields(account_id: str, client_id: str, metadata: dict[str, Any]) -> frozenset[str]:
    """The fields of the ``child`` claim that this application gets about this guardian's child.

    A third party whose registration grew gets no more than what the guardian was told, with
    tokens from before too (security rules C5 and O18).
    """
    registered = frozenset(metadata["child_fields"])
    if metadata["first_party"]:
        return registered
    consent = given(account_id, client_id)
    return registered.intersection(consent.child_fields.split() if consent else ())


def remember(account_id: str, client_id: str, scope: str, child_fields: Iterable[str] = ()) -> None:
    """Remember what the guardian allows; adds to what was allowed before."""
    with transaction() as session:
        people.hold_account(account_id)  # a double click waits here (security rule R4)
        consent = session.get(Consent, (account_id, client_id), populate_existing=True)
        if consent is None:
            consent = Consent(account_id=account_id, client_id=client_id, scope="", child_fields="")
            session.add(consent)
        if consent.withdrawn_at:
            consent.scope = consent.child_fields = ""
        consent.scope = " ".join(sorted({*consent.scope.split(), *scope.split()}))
        consent.child_fields = " ".join(sorted({*consent.child_fields.split(), *child_fields}))
        consent.granted_at = clock.now()
        consent.withdrawn_at = None
        events.record(
            "consent_given",
            account_id=account_id,
            client_id=client_id,
            scope=scope,
            child_fields=consent.child_fields,
        )


def allowed_by(account_id: str) -> list[Allowed]:
    """The applications that a guardian allowed, by name; one query."""
    last_used = (
        select(func.max(Grant.created_at))
        .where(Grant.account_id == account_id, Grant.client_id == Client.id)
        .scalar_subquery()
    )
    rows = db.session.execute(
        select(Client, Consent.scope, Consent.granted_at, last_used)
        .join(Consent, Consent.client_id == Client.id)
        .where(Consent.account_id == account_id, Consent.withdrawn_at.is_(None))
        .order_by(Client.name)
    )
    return [Allowed(*row) for row in rows]
