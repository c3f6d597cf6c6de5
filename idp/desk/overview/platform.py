"""The numbers of the overview: of one school or a few, or of the whole platform."""

from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, Final

from idp.desk.access.rights import AT_TERMINAL, Right, Staff
from idp.desk.overview import expiring, onboarding, traffic
from idp.desk.overview.onboarding import Funnel
from idp.desk.overview.traffic import Hours
from idp.people import platform_counts

NAME: Final = "overview"


@dataclass(frozen=True)
class Numbers:
    """All that the overview tells in numbers; ``counted_at`` is None where it is of now."""

    funnel: Funnel
    hours: Hours
    mail_trouble: dict[str, int]
    tokens_expiring: int
    counted_at: datetime | None = None


def numbers(staff: Staff, school_id: str | None = None) -> Numbers | None:
    """The numbers of this school, or of the scope; None where nobody counted them yet.

    Raises ``NotFound``.
    """
    if school_id is not None or not staff.school_scope(Right.SEE_OVERVIEW).everywhere:
        return Numbers(
            onboarding.by_class(staff, school_id) if school_id else onboarding.by_school(staff),
            traffic.sign_ins(staff, school_id),
            traffic.mail_trouble(staff, school_id),
            expiring.tokens_expiring(staff, school_id),
        )
    counted = platform_counts.counted(NAME, count)
    if counted is None:
        return None
    return Numbers(
        onboarding.by_school(staff, counted.numbers["stopped"]),
        Hours(*(tuple(counted.numbers["hours"][each]) for each in ("day", "week"))),
        counted.numbers["mail_trouble"],
        counted.numbers["tokens_expiring"],
        counted.at,
    )


def count() -> dict[str, Any]:
    """The whole platform's numbers, as JSON has them: four queries, over everybody."""
    everywhere = AT_TERMINAL.school_scope(Right.SEE_OVERVIEW)
    return {
        "stopped": onboarding.stopped_by_school(everywhere),
        "hours": asdict(traffic.sign_ins(AT_TERMINAL)),
        "mail_trouble": traffic.mail_trouble(AT_TERMINAL),
        "tokens_expiring": expiring.tokens_expiring(AT_TERMINAL),
    }
