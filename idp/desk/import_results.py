"""What came of an import, person by person: rows that were not taken over."""

from dataclasses import dataclass
from typing import Final

from sqlalchemy import func, select

from idp.database import db
from idp.desk import imports
from idp.desk.import_runs import Import, NotFound
from idp.desk.staff import Staff
from idp.roster.models import RosterRejection

PAGE: Final = 50


@dataclass(frozen=True)
class Rejections:
    """A page of the rows that were not taken over, under the list's own header."""

    found: Import
    header: list[str]
    rows: list[RosterRejection]
    reasons: dict[str, int]
    """Reason → how many of it, whatever is shown."""
    more: bool


def rejections(staff: Staff, run_id: str, code: str, page: int) -> Rejections:
    """Rows that were not taken over, for one reason or all; raises ``NotFound``."""
    found = imports.of_theirs(staff, run_id)
    counted = db.session.execute(
        select(RosterRejection.code, func.count())
        .where(RosterRejection.run_id == run_id)
        .group_by(RosterRejection.code)
        .order_by(func.count().desc(), RosterRejection.code)
    )
    reasons = {row[0]: row[1] for row in counted}
    if not reasons:
        raise NotFound
    query = select(RosterRejection).where(RosterRejection.run_id == run_id)
    if code:
        query = query.where(RosterRejection.code == code)
    query = query.order_by(RosterRejection.number).limit(PAGE + 1).offset((page - 1) * PAGE)
    rows = list(db.session.scalars(query))
    header = list(found.run.reading.get("shown", ()))
    return Rejections(found, header, rows[:PAGE], reasons, len(rows) > PAGE)
