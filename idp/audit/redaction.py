"""Takes from the audit log what says who somebody was; what happened, and when, stays.

An event of somebody who is erased keeps its number, time, kind, result and ids, which lead nowhere
any more. Its network address and its detail, in which staff may have written words, leave. The
database still refuses to change a row: these are deleted and put back, in a transaction that says
that it purges (``removal``), which only the owner of the tables may.
"""

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import ColumnElement, and_, delete, insert, or_, select

from idp.audit import removal
from idp.audit.models import AuditEvent
from idp.database import in_parts, transaction

_TABLE: Final = AuditEvent.__table__
_AT_ONCE: Final = 500


@dataclass(frozen=True, kw_only=True)
class Concerned:
    """Whose events are looked for, and where."""

    accounts: Collection[str]
    children: Collection[str]
    family: Collection[str]
    """Children of the accounts, too: somebody may have written of the one at another's event."""
    guardians: Collection[str]
    """Of the family, and ``schools``, by whom events about these children are found."""
    schools: Collection[str]
    staff: Collection[str]
    """Those of the accounts that worked at a desk: what they did to others is looked for."""
    is_named: Callable[[str], bool]
    """Whether a text names one of them."""


def redact(concerned: Concerned) -> int:
    """Take out what says who they were, in the caller's transaction; returns of how many events."""
    changed = 0
    for condition in _conditions(concerned):
        with transaction() as session:
            ids = session.scalars(select(_TABLE.c.id).where(condition)).all()
            for some in in_parts(ids, _AT_ONCE):
                changed += _put_back(session, some, concerned)
    return changed


def _conditions(concerned: Concerned) -> list[ColumnElement[bool]]:
    """Each answered by an index, but for the acts of staff."""
    conditions: list[ColumnElement[bool]] = []
    if concerned.accounts:
        conditions.append(AuditEvent.account_id.in_(concerned.accounts))
    if concerned.family:
        near = or_(
            AuditEvent.school_id.in_(concerned.schools),
            AuditEvent.account_id.in_(concerned.guardians),
        )
        conditions.append(and_(AuditEvent.child_id.in_(concerned.family), near))
    if concerned.staff:
        conditions.append(AuditEvent.actor.in_(concerned.staff))
    return conditions


def _put_back(session: Any, ids: list[int], concerned: Concerned) -> int:
    rows = [
        (dict(row), _redacted(dict(row), concerned))
        for row in session.execute(select(_TABLE).where(_TABLE.c.id.in_(ids))).mappings()
    ]
    changed = [after for before, after in rows if after != before]
    if changed:
        with removal.allowed(session):
            session.execute(delete(_TABLE).where(_TABLE.c.id.in_([row["id"] for row in changed])))
        session.execute(insert(_TABLE), changed)
    return len(changed)


def _redacted(row: dict[str, Any], concerned: Concerned) -> dict[str, Any]:
    is_theirs = row["account_id"] in concerned.accounts
    if (
        is_theirs
        or row["child_id"] in concerned.children
        or any(concerned.is_named(each) for each in texts(row["detail"]))
    ):
        row["detail"] = {}
    if is_theirs or row["actor"] in concerned.staff:
        row["address"] = None
    return row


def texts(value: Any) -> Iterator[str]:
    """Every text in a JSON document, but for the names of its members."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict | list):
        for each in value.values() if isinstance(value, dict) else value:
            yield from texts(each)
