"""Consent: what a guardian allowed a third-party application."""

from collections.abc import Iterable
from typing import Any

from idp import clock
from idp.audit import events
from idp.database import db, transaction
from idp.oidc.models import Consent
from idp.people import service as people


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
