"""``modules.txt`` and ``plans.txt``: the OpenID Foundation's plans, and what tests each module."""

import re
from dataclasses import dataclass
from pathlib import Path

FOLDER = Path(__file__).parent


@dataclass(frozen=True)
class Row:
    """A module's test and what that is about, or the reason why there is none."""

    about: str = ""
    test: str = ""
    reason: str = ""


def modules() -> dict[str, tuple[str, list[str]]]:
    """By the name of the plan: our title of it, and its modules."""
    plans: dict[str, tuple[str, list[str]]] = {}
    for line in _lines("modules.txt"):
        if begins := re.fullmatch(r"\[(\S+)\] (.+)", line):
            found: list[str] = []
            plans[begins[1]] = (begins[2], found)
        else:
            found.append(line)
    return plans


def rows() -> dict[tuple[str, str], Row]:
    """By plan and module. A row of no plan counts in every one that has none of its own."""
    made: dict[tuple[str, str], Row] = {}
    plan = ""
    for line in _lines("plans.txt"):
        if begins := re.fullmatch(r"\[(\S+)\]", line):
            plan = begins[1]
            continue
        module, *says = (part.strip() for part in line.split(" | "))
        assert (plan, module) not in made, f"{module} stands twice"
        made[plan, module] = Row(reason=says[0]) if len(says) == 1 else Row(says[0], says[1])
    return made


def of_plan(plan: str) -> list[tuple[str, Row]]:
    """Each module of a plan with its row, in the plan's order."""
    known = rows()
    return [
        (module, known.get((plan, module)) or known["", module]) for module in modules()[plan][1]
    ]


def _lines(name: str) -> list[str]:
    lines = (FOLDER / name).read_text().splitlines()
    return [line for line in lines if line and not line.startswith("#")]
