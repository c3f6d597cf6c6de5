"""Finds guardians to whom the file gives an address that is another guardian's of the school.

A column that slipped by a row, or two rows exchanged, hand one family's invitation, and with it the
account and the children behind it, to another family. Who takes an address, and who gives it up in
the same file, are one question, and nothing of theirs changes before it is answered.

Two people may share an address: one who has the address already, keeps it in the file, and has
every child that the other one has, gains nothing by the other's mail.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from hashlib import sha256
from typing import Final

from idp.roster import bulk
from idp.roster.asking import Doubt
from idp.roster.claims import unclaimed
from idp.roster.scope import Scope

ADDRESS: Final = "address"

_OWNERS_ROWS: Final = """
FROM roster_matches k CROSS JOIN roster_guardians h
WHERE k.run_id = :run AND k.school_id = :school AND k.account_id = owner.id
  AND h.run_id = :run AND h.sourced_id = k.sourced_id
"""
_BELIEVED: Final = f"{_OWNERS_ROWS} AND k.how NOT IN ('held', 'ended') AND h.present"
_MADE_BY_HAND: Final = """
FROM live_guardianships w
WHERE w.account_id = owner.id AND w.school_id = :school
  AND NOT EXISTS (SELECT 1 FROM roster_guardianships rg WHERE rg.guardianship_id = w.id)
"""
_OWNER_HAS: Final = """
(EXISTS (SELECT 1 FROM live_guardianships v
         WHERE v.account_id = owner.id AND v.child_id = coalesce(p.child_id, i.child_id))
 OR EXISTS (SELECT 1 FROM roster_matches k CROSS JOIN roster_links n
            WHERE k.run_id = :run AND k.school_id = :school AND k.account_id = owner.id
              AND n.run_id = :run AND n.guardian_sourced_id = k.sourced_id
              AND n.pupil_sourced_id = l.pupil_sourced_id))
"""
_CHILDREN_IN_FILE: Final = """
FROM roster_links l
LEFT JOIN roster_pupils p ON p.run_id = :run AND p.school_id = :school
                         AND p.sourced_id = l.pupil_sourced_id
LEFT JOIN roster_identities i ON i.school_id = :school AND i.kind = 'pupil'
                             AND i.sourced_id = l.pupil_sourced_id
WHERE l.run_id = :run AND l.guardian_sourced_id = g.sourced_id
  AND coalesce(p.child_id, i.child_id) IS NOT NULL
"""
# Not of schools beyond the district: an account that they trust too keeps its address anyhow, and
# none is to learn of them (rule C3)
_CHILDREN_HERE: Final = """
FROM live_guardianships w
WHERE w.account_id = m.account_id
  AND (w.school_id = :school OR EXISTS (SELECT 1 FROM roster_sources s
                                        WHERE s.school_id = w.school_id AND s.district = :district))
"""
_TAKEN: Final = f"""
SELECT g.number, m.account_id, owner.id,
       CASE WHEN EXISTS (SELECT 1 {_BELIEVED} AND h.email_key = owner.email_key) THEN 1
            WHEN EXISTS (SELECT 1 {_OWNERS_ROWS}) THEN 0
            WHEN EXISTS (SELECT 1 {_MADE_BY_HAND}) THEN 1 ELSE NULL END,
       CASE WHEN EXISTS (SELECT 1 {_CHILDREN_IN_FILE} AND {_OWNER_HAS}) THEN 1 ELSE 0 END,
       CASE WHEN EXISTS (SELECT 1 {_CHILDREN_IN_FILE} AND NOT {_OWNER_HAS})
              OR EXISTS (SELECT 1 {_CHILDREN_HERE}
                         AND NOT EXISTS (SELECT 1 FROM live_guardianships v
                                         WHERE v.account_id = owner.id AND v.child_id = w.child_id))
            THEN 1 ELSE 0 END,
       (SELECT min(h.number) {_BELIEVED} AND h.email_key <> owner.email_key
        AND {unclaimed("owner")})
FROM roster_matches m CROSS JOIN roster_guardians g CROSS JOIN accounts owner
LEFT JOIN accounts a ON a.id = m.account_id
WHERE m.run_id = :run AND m.school_id = :school AND m.how NOT IN ('held', 'ended')
  AND g.run_id = :run AND g.sourced_id = m.sourced_id AND g.present AND g.given_name <> ''
  AND owner.email_key = g.email_key AND owner.id <> coalesce(m.account_id, '')
  AND EXISTS (SELECT 1 FROM live_guardianships w
              WHERE w.account_id = owner.id AND w.school_id = :school)
  AND (a.id IS NULL OR (g.email_key <> coalesce(a.email_key, '') AND {unclaimed("a")}))
ORDER BY g.number, owner.id
"""


@dataclass(frozen=True)
class _Taken:
    """A row of the file that gives its guardian the address of ``owner``.

    ``account``: whose row it is; none: somebody new. ``giver``: the owner's row, where it has
    another address, which the owner would get.
    """

    number: int
    account: str | None
    owner: str
    keeps: bool
    """Whether the owner has the address in the file too; or stays, where the file is silent of
    them: it holds changes only, or somebody at the desk has linked the owner."""
    in_common: bool
    """Whether a child of the row is with the owner."""
    gains: bool
    """Whether who reads the owner's address would come to a child that is not with the owner."""
    giver: int | None

    @property
    def is_shared(self) -> bool:
        """Whether nobody gains a child by it; false: a person is asked."""
        if self.account is None:  # the name may have changed; or a second parent has come
            return self.in_common or self.keeps
        return self.keeps and not self.gains


def of_others(scope: Scope) -> list[Doubt]:
    """Judge every address that the file gives to somebody, and that is another's at the school."""
    rows = [
        _Taken(
            *(number, account, owner),
            scope.delta if keeps is None else bool(keeps),
            *(bool(in_common), bool(gains), giver),
        )
        for number, account, owner, keeps, in_common, gains, giver in bulk.fetch(
            _TAKEN, **scope.ids(), district=scope.district or ""
        )
    ]
    shared = {each.number for each in rows if each.is_shared}
    taken = [each for each in rows if each.number not in shared]
    return [each for group in _together(taken) for each in _doubts(group)]


def _together(taken: Iterable[_Taken]) -> list[list[_Taken]]:
    """Those who exchange addresses with one another, round a whole column."""
    groups: dict[int | str, list[_Taken]] = {}
    for each in taken:
        ends = {end for end in (each.number, each.owner, each.giver) if end is not None}
        joined = {id(groups[end]): groups[end] for end in sorted(ends, key=str) if end in groups}
        group = [*(one for those in joined.values() for one in those), each]
        for one in group:
            groups |= dict.fromkeys((one.number, one.owner), group)
            if one.giver is not None:
                groups[one.giver] = group
    return list({id(group): group for group in groups.values()}.values())


def _doubts(group: list[_Taken]) -> list[Doubt]:
    whose = {each.giver: (each.owner, None) for each in group if each.giver is not None}
    people: dict[int, tuple[str | None, str | None]] = {
        **whose,
        **{each.number: (each.account, each.owner) for each in group},
    }
    # An answer is about those who were seen together, and about nobody who joins them later
    seen = sha256(repr(sorted(people.items())).encode()).hexdigest()[:6]
    key = f"g{min(people)}.{seen}"
    return [
        Doubt(ADDRESS, number, ours, other, key=key, of_guardian=True, about="mail")
        for number, (ours, other) in sorted(people.items())
    ]
