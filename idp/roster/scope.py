"""The school and the run that people are matched for."""

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Scope:
    """What one school's part of a run is planned with; ``answers``: question → what was said."""

    run_id: str
    school_id: str
    district: str | None
    delta: bool
    pattern: str
    link_same_people: bool
    answers: dict[str, str] = field(default_factory=dict)

    def ids(self) -> dict[str, Any]:
        return {"run": self.run_id, "school": self.school_id}
