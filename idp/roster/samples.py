"""Whom an import would make, change and end: a few names of each kind, for its dry run.

Asked in the transaction that planned it. Only people of this school are named (rule C3).
"""

from typing import Final

from idp.roster import bulk
from idp.roster.planning import Plan
from idp.roster.scope import Scope
from idp.roster.staging import SAMPLES

_LOOKED_AT: Final = 1_000

_NEW: Final = "SELECT x.given_name || ' ' || x.family_name FROM roster_changes x WHERE {}"
_CHILD: Final = """
SELECT c.given_name || ' ' || c.family_name FROM roster_changes x
JOIN children c ON c.id = x.child_id WHERE {}
"""
_CHANGED: Final = """
SELECT x.old_given_name || ' ' || x.old_family_name, x.given_name || ' ' || x.family_name,
       {0}
FROM roster_changes x WHERE {{}}
"""
_CHANGED_CHILD: Final = _CHANGED.format(
    "x.old_class_name, x.class_name, x.old_pupil_number, x.pupil_number"
)
_CHANGED_ACCOUNT: Final = _CHANGED.format("x.old_email, x.email")
_ACCOUNT: Final = """
SELECT a.given_name || ' ' || a.family_name FROM roster_changes x
JOIN accounts a ON a.id = x.account_id WHERE {}
"""
_PAIR: Final = """
SELECT a.given_name || ' ' || a.family_name || ' → ' || c.given_name || ' ' || c.family_name
FROM roster_changes x
JOIN guardianships w ON w.id = x.guardianship_id
JOIN accounts a ON a.id = w.account_id
JOIN children c ON c.id = w.child_id WHERE {}
"""
_THIS: Final = "x.run_id = :run AND x.school_id = :school AND x.kind = :kind"

_QUERIES: Final = {
    "child_made": _NEW,
    "child_changed": _CHANGED_CHILD,
    "child_returned": _CHANGED_CHILD,
    "child_left": _CHILD,
    "account_made": _NEW,
    "account_changed": _CHANGED_ACCOUNT,
    "account_revived": _ACCOUNT,
    "guardianship_changed": _PAIR,
    "guardianship_ended": _PAIR,
}


_NAMES: Final = """
SELECT given_name || ' ' || family_name FROM roster_{} WHERE run_id = :run
ORDER BY number LIMIT {}
"""


def accented(run_id: str) -> list[str]:
    """Names with letters beyond ASCII: whether they are read rightly, a person sees."""
    found: dict[str, None] = {}
    for table in ("pupils", "guardians"):
        names = bulk.found(_NAMES.format(table, _LOOKED_AT), run=run_id)
        found.update({row[0].strip(): None for row in names if not row[0].isascii()})
    return list(found)[:SAMPLES]


def of(scope: Scope, plan: Plan) -> dict[str, list[str]]:
    """Kind of change → a few names, of what changes as it is and as it would be; new
    guardianships have none, their people are named.
    """
    return {
        kind: [
            _shown(*row)
            for row in bulk.found(
                f"{query.format(_THIS)} ORDER BY x.id LIMIT {SAMPLES}", **scope.ids(), kind=kind
            )
        ]
        for kind, query in _QUERIES.items()
        if plan.counts.get(kind)
    }


def _shown(name: str, new_name: str | None = None, *pairs: str | None) -> str:
    """« Lina Dubois, 3B → Lina Maes, 4B »: what stays the same beside the name is left out."""
    if new_name is None:
        return name
    differing = [
        (old or "–", new or "–")
        for old, new in zip(pairs[::2], pairs[1::2], strict=True)
        if (old or "") != (new or "")
    ]
    before = ", ".join([name, *(old for old, _ in differing)])
    after = ", ".join([new_name, *(new for _, new in differing)])
    return f"{before} → {after}" if before != after else name
