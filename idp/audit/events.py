"""The audit trail's vocabulary, and what records: one event, or one for each of many."""

from collections.abc import Iterable
from typing import Any, Final

from sqlalchemy import JSON, Select, String, insert, literal, null, select

from idp import clock, correlation
from idp.audit.models import AuditEvent
from idp.database import UtcDateTime, transaction
from idp.database.prepared import AtomicInsert

ROWS: Final = (
    AuditEvent.__table__,
    ("at", "event", "result", "actor", "account_id", "child_id", "client_id", "session_id",
     "school_id", "address", "correlation_id", "detail"),
)  # fmt: skip
_INSERT: Final = AtomicInsert(ROWS)

EVENTS: Final = frozenset(
    {
        "sign_in",
        "sign_in_refused",
        "session_ended",
        "session_renewed",
        "passkey_added",
        "passkey_removed",
        "two_step_on",
        "two_step_off",
        "recovery_codes_replaced",
        "recovery_code_used",
        "factor_refused",
        "factors_reset",
        "factors_reset_asked",
        "factors_reset_declined",
        "factor_undone",
        "step_up_declined",
        "role_granted",
        "role_revoked",
        "role_changed",
        "token_issued",
        "token_refused",
        "password_set",
        "password_changed",
        "password_refused",
        "child_chosen",
        "child_refused",
        "consent_given",
        "consent_withdrawn",
        "grant_made",
        "grant_ended",
        "code_reused",
        "refresh_reused",
        "token_revoked",
        "account_created",
        "account_activated",
        "account_disabled",
        "account_changed",
        "username_changed",
        "account_enabled",
        "child_created",
        "child_changed",
        "child_left",
        "child_returned",
        "guardianship_made",
        "guardianship_asked",
        "guardianship_answered",
        "guardianship_changed",
        "guardianship_ended",
        "guardianship_restored",
        "roster_begun",
        "roster_answered",
        "roster_applied",
        "roster_held_back",
        "roster_undone",
        "client_created",
        "client_secret_rotated",
        "client_disabled",
        "client_refused",
        "key_made",
        "key_rotated",
        "key_retired",
        "school_created",
        "mail_sent",
        "mail_refused",
        "profile_changed",
        "email_proved",
        "email_change_asked",
        "email_change_cancelled",
        "email_changed",
        "email_change_undone",
        "email_way_back_ended",
        "email_change_refused",
        "new_device",
        "data_downloaded",
        "erasure_asked",
        "erasure_closed",
        "database_restored",
        "settings_agreed",
        "link_made",
        "link_refused",
        "link_ended",
        "left_to_school",
        "provider_refused",
        "deletion_requested",
        "token_sent",
        "school_invited",
        "person_email_corrected",
        "person_language_set",
        "access_closed",
        "accounts_merged",
        "erasure_answered",
        "school_changed",
        "school_text_changed",
        "specimen_asked",
        "mail_asked_again",
        "client_changed",
        "client_enabled",
        "client_secret_ended",
        "letter_printed",
        "class_tokens_sent",
    }
)


def record(
    event: str,
    *,
    result: str = "ok",
    actor: str | None = None,
    account_id: str | None = None,
    child_id: str | None = None,
    client_id: str | None = None,
    session_id: str | None = None,
    school_id: str | None = None,
    **detail: Any,
) -> None:
    """Add an event in the current transaction, or in one of its own; see ``row``."""
    made = row(
        event,
        result=result,
        actor=actor,
        account_id=account_id,
        child_id=child_id,
        client_id=client_id,
        session_id=session_id,
        school_id=school_id,
        **detail,
    )
    _INSERT.execute(audit_events=made)


def row(
    event: str,
    *,
    result: str = "ok",
    actor: str | None = None,
    account_id: str | None = None,
    child_id: str | None = None,
    client_id: str | None = None,
    session_id: str | None = None,
    school_id: str | None = None,
    **detail: Any,
) -> dict[str, Any]:
    """The row of an event, for who puts it in together with others.

    ``detail`` holds ids, counts and codes; never a secret, a name or an address of a person
    (security rules L1 and L3). ``detail["changes"]`` says what an act of staff changed, as
    ``{field: [before, after]}``, a person's address shortened (``idp.desk.journal``). Where
    from and by whom come from the request's correlation.
    """
    if event not in EVENTS:
        raise ValueError(f"unknown audit event {event}")
    where = correlation.current()
    return {
        "at": clock.now(),
        "event": event,
        "result": result,
        "actor": where.actor if actor is None else actor,
        "account_id": account_id,
        "child_id": child_id,
        "client_id": client_id,
        "session_id": session_id,
        "school_id": school_id,
        "address": where.address,
        "correlation_id": where.id,
        "detail": detail,
    }


def record_rows(rows: Iterable[dict[str, Any]]) -> None:
    """Add many events, each made by ``row``, by one statement in the current transaction."""
    with transaction() as session:
        session.execute(insert(AuditEvent), list(rows))


def record_each(event: str, people: Select[*tuple[Any, ...]], **detail: Any) -> int:
    """Add one event for each row of ``people``, by one statement in the current transaction;
    returns how many. A row: an account's id, a child's id (either may be null), and, where a
    school is to read it, that school's id.

    ``detail`` is the same for all, and holds what ``record`` lets it hold.
    """
    if event not in EVENTS:
        raise ValueError(f"unknown audit event {event}")
    where = correlation.current()
    rows = people.subquery()
    account_id, child_id, *school_id = rows.columns
    values: dict[str, Any] = {
        "at": literal(clock.now(), UtcDateTime),
        "event": literal(event, String),
        "result": literal("ok", String),
        "actor": literal(where.actor, String),
        "account_id": account_id,
        "child_id": child_id,
        "address": null() if where.address is None else literal(where.address, String),
        "correlation_id": literal(where.id, String),
        "detail": literal(detail, JSON),
        **({"school_id": school_id[0]} if school_id else {}),
    }
    statement = insert(AuditEvent.__table__).from_select(
        list(values), select(*values.values()), include_defaults=False
    )
    with transaction() as session:
        added: int = session.execute(statement).rowcount
    return added
