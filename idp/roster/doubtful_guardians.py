"""Finds guardians of the file whose id alone does not say who they are.

Three kinds: an id that comes with another person's name, address or children; a known person who
comes with another id; a person who is switched off in the school's own software.
"""

from collections.abc import Iterable
from typing import Final

from idp.roster import asking, bulk, company
from idp.roster.asking import Doubt, candidates_by_name
from idp.roster.claims import unclaimed
from idp.roster.doubtful_pupils import RENUMBERED
from idp.roster.scope import Scope
from idp.roster.witnesses import Name, is_guardian

DISABLED: Final = "disabled"

_OF_RUN: Final = "roster_matches.run_id = :run AND roster_matches.school_id = :school"

_SUSPECT: Final = f"""
UPDATE roster_matches SET how = 'suspect'
FROM roster_guardians g, accounts a
WHERE {_OF_RUN} AND roster_matches.how = :how
  AND g.run_id = :run AND g.sourced_id = roster_matches.sourced_id AND g.given_name <> ''
  AND a.id = roster_matches.account_id
  AND (g.given_name <> a.given_name OR g.family_name <> a.family_name
       OR g.email_key <> a.email_key)
"""
_SUSPECTS: Final = f"""
SELECT g.number, g.sourced_id, g.name_key, g.email_key, a.id, a.email_key,
       CASE WHEN {unclaimed("a")} THEN 0 ELSE 1 END,
       g.given_name, g.family_name, a.given_name, a.family_name
FROM roster_matches m CROSS JOIN roster_guardians g CROSS JOIN accounts a
WHERE m.run_id = :run AND m.school_id = :school AND m.how = 'suspect'
  AND g.run_id = :run AND g.sourced_id = m.sourced_id AND a.id = m.account_id
ORDER BY g.number
"""
_BELIEVED: Final = f"UPDATE roster_matches SET how = :how WHERE {_OF_RUN} AND how = 'suspect'"

_CANDIDATES: Final = """
SELECT DISTINCT a.id, a.given_name, a.family_name, a.email_key,
       CASE WHEN EXISTS (SELECT 1 FROM roster_matches m WHERE m.run_id = :run
                           AND m.school_id = :school AND m.account_id = a.id
                           AND m.how = 'known') THEN 1 ELSE 0 END
FROM live_guardianships w CROSS JOIN accounts a
WHERE w.school_id = :school AND a.id = w.account_id
"""

_DISABLED: Final = """
SELECT g.number, m.account_id, m.how FROM roster_matches m CROSS JOIN roster_guardians g
WHERE m.run_id = :run AND m.school_id = :school
  AND g.run_id = :run AND g.sourced_id = m.sourced_id AND g.disabled
  AND m.how NOT IN ('held', 'moved')
ORDER BY g.number
"""


def of_known(scope: Scope, how: str = "known") -> list[Doubt]:
    """Judge every guardian whom an id knows, and in whom something has changed."""
    if not bulk.execute(_SUSPECT, **scope.ids(), how=how):
        return []
    rows = asking.suspects(bulk.fetch(_SUSPECTS, **scope.ids()))
    theirs = company.children_in_file(scope)
    renamed = any(each.name is not Name.SAME for each in rows)
    candidates = candidates_by_name(bulk.fetch(_CANDIDATES, **scope.ids())) if renamed else {}
    bulk.execute(_BELIEVED, **scope.ids(), how=how)
    return [
        Doubt("guardian", each.number, each.ours, likely, of_guardian=True, also=also)
        for each, likely, also in asking.doubted(
            rows, theirs, company.children_of, candidates, is_guardian
        )
    ]


def of_disabled(scope: Scope) -> list[Doubt]:
    """Who is switched off in the school's software: neither made nor ended without a word."""
    return [
        Doubt("disabled", number, account_id, key=DISABLED, of_guardian=True)
        for number, account_id, _ in bulk.fetch(_DISABLED, **scope.ids())
    ]


def renumbered(numbers: dict[str, int], pairs: Iterable[tuple[str, str]]) -> list[Doubt]:
    """Who has the name, and the address or a child, of somebody known by another id."""
    return [
        Doubt("renumbered", numbers[sourced_id], account_id, key=RENUMBERED, of_guardian=True)
        for sourced_id, account_id in pairs
    ]


def settle(scope: Scope, doubts: list[Doubt]) -> None:
    """Hold the rows back, or do what somebody has said of them."""
    changed: list[tuple[int, str | None, str]] = []
    for each in doubts:
        match each.answer(scope), each.kind:
            case None, _:
                changed.append((each.number, each.ours, "held"))
            case asking.SAME, "renumbered":
                changed.append((each.number, each.ours, "renumber"))
            case asking.ANOTHER, "guardian":
                changed.append((each.number, each.other, "moved" if each.other else "wanted"))
            case asking.ANOTHER, "disabled":
                changed.append((each.number, each.ours, "ended"))
    _set(scope, changed)


def strangers(scope: Scope, doubts: list[Doubt]) -> None:
    """Whom the district's id means elsewhere is not who stands in this school's file."""
    _set(scope, [(each.number, None, "wanted") for each in doubts])


def _set(scope: Scope, changed: list[tuple[int, str | None, str]]) -> None:
    bulk.execute_many(
        "UPDATE roster_matches SET account_id = :account, how = :how"
        " WHERE run_id = :run AND school_id = :school AND sourced_id ="
        " (SELECT g.sourced_id FROM roster_guardians g WHERE g.run_id = :run"
        " AND g.number = :number)",
        (
            {**scope.ids(), "number": number, "account": account_id, "how": how}
            for number, account_id, how in changed
        ),
    )
