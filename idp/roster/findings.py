"""Finds what looks wrong in a file, for one school: counts, with a few samples.

The queries run in the transaction that planned the import. The person who chose the file sees whom
a finding is about. That is never logged, and it is kept (``concerned``) until the import can no
longer be undone.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import groupby
from typing import Any, Final

from flask_babel import lazy_gettext as _

from idp.people.addresses import meant
from idp.roster import bulk, former, namesakes
from idp.roster.concerned import Person
from idp.roster.models import RosterRun
from idp.roster.planned_links import SEPARATED
from idp.roster.planning import LARGE, Plan
from idp.roster.records import OF_OTHER_SCHOOLS
from idp.roster.scope import Scope
from idp.roster.staging import SAMPLES

_GUARDIANS: Final = """
FROM roster_matches m CROSS JOIN roster_guardians g
"""
_OF: Final = """
m.run_id = :run AND m.school_id = :school AND g.run_id = :run AND g.sourced_id = m.sourced_id
AND g.present AND g.given_name <> ''
"""

_ALWAYS: Final = {
    "guardians_without_address": f"""
SELECT g.given_name || ' ' || g.family_name, g.line {_GUARDIANS}
LEFT JOIN accounts a ON a.id = m.account_id
WHERE {_OF} AND g.email_key IS NULL AND a.email_key IS NULL
""",
    "address_kept": f"""
SELECT g.given_name || ' ' || g.family_name, g.line, a.email, g.email {_GUARDIANS}
JOIN accounts a ON a.id = m.account_id
WHERE {_OF} AND m.how NOT IN ('new', 'held', 'ended') AND g.email_key IS NOT NULL
  AND g.email_key <> coalesce(a.email_key, '')
  AND NOT EXISTS (SELECT 1 FROM roster_changes x WHERE x.run_id = :run AND x.school_id = :school
                  AND x.kind = 'account_changed' AND x.account_id = a.id
                  AND x.email_key = g.email_key)
""",
    "separated": f"""
SELECT a.given_name || ' ' || a.family_name || ', ' || c.given_name || ' ' || c.family_name
FROM roster_pairs r JOIN accounts a ON a.id = r.account_id JOIN children c ON c.id = r.child_id
WHERE r.run_id = :run AND r.school_id = :school AND {SEPARATED}
""",
    "number_taken": """
SELECT p.given_name || ' ' || p.family_name, p.line, '', p.pupil_number FROM roster_changes x
JOIN roster_pupils p ON p.run_id = :run AND p.child_id = x.child_id
WHERE x.run_id = :run AND x.school_id = :school AND x.kind = 'child_made'
  AND x.pupil_number IS NULL AND p.pupil_number IS NOT NULL
""",
}

_IN_WHOLE_FILES: Final = {
    "no_classes": """
SELECT count(*) || '' FROM roster_pupils p
WHERE p.run_id = :run AND p.school_id = :school AND p.present
HAVING count(*) > 0 AND max(coalesce(p.class_name, '')) = ''
""",
    "class_vanishes": """
SELECT c.class_name || ' (' || count(*) || ')' FROM children c
WHERE c.school_id = :school AND c.left_at IS NULL AND c.class_name <> ''
  AND c.class_name NOT IN (SELECT coalesce(p.class_name, '') FROM roster_pupils p
                           WHERE p.run_id = :run AND p.school_id = :school AND p.present)
GROUP BY c.class_name
""",
    "pupils_without_guardian": """
SELECT p.given_name || ' ' || p.family_name, p.line FROM roster_pupils p
WHERE p.run_id = :run AND p.school_id = :school AND p.present AND p.given_name <> ''
  AND p.how <> 'held'
  AND NOT EXISTS (SELECT 1 FROM roster_links l CROSS JOIN roster_matches h
                  WHERE l.run_id = :run AND l.pupil_sourced_id = p.sourced_id AND h.run_id = :run
                    AND h.school_id = :school AND h.sourced_id = l.guardian_sourced_id
                    AND h.how = 'held')
  AND NOT EXISTS (SELECT 1 FROM roster_pairs r WHERE r.run_id = :run AND r.school_id = :school
                  AND r.child_id = p.child_id)
""",
    "pupils_not_in_file": """
SELECT c.given_name || ' ' || c.family_name FROM children c
WHERE c.school_id = :school AND c.left_at IS NULL
  AND NOT EXISTS (SELECT 1 FROM roster_identities i WHERE i.child_id = c.id AND i.kind = 'pupil')
  AND NOT EXISTS (SELECT 1 FROM roster_pupils p WHERE p.run_id = :run
                  AND p.school_id = :school AND p.child_id = c.id)
""",
}

# Sets rather than look-ups: a district has hundreds of thousands
_WITHOUT_PUPIL: Final = """
SELECT g.given_name || ' ' || g.family_name, g.line FROM roster_guardians g
LEFT JOIN (
  SELECT DISTINCT l.guardian_sourced_id AS sourced_id FROM roster_links l
  WHERE l.run_id = :run AND l.pupil_sourced_id IN (
    SELECT p.sourced_id FROM roster_pupils p WHERE p.run_id = :run AND p.present)
) linked ON linked.sourced_id = g.sourced_id
WHERE g.run_id = :run AND g.present AND g.given_name <> '' AND linked.sourced_id IS NULL
ORDER BY g.number
"""

SENTENCES: Final = {
    "shared_address": _("One address for two people: both get an account of their own."),
    "duplicate_guardians": _("A guardian seems to be in the file twice: two accounts."),
    "guardians_without_address": _("Guardians without an e-mail address: they need a letter."),
    "address_kept": _("The file has another address than the account, which keeps its own."),
    "separated": _("The school ended this link by hand: it stays ended, whatever the file says."),
    "former_guardians": _(
        "The file names former guardians: their last link here ended long ago, or was ended by a"
        " court or by them. They are asked by mail, and linked with their yes."
    ),
    "number_taken": _("The pupil's number is another child's at this school: it is left out."),
    "class_vanishes": _("A class of which the file has no pupil."),
    "no_classes": _("No pupil of the file has a class: known pupils keep theirs."),
    "class_variants": _("Classes that seem to be one, written differently: are they?"),
    "pupils_without_guardian": _("Pupils without a guardian."),
    "guardians_without_pupil": _("Guardians of no pupil in the file: no account is made for them."),
    "pupils_not_in_file": _("Pupils who were added by hand and are not in the file: they stay."),
    "same_person": _("Looks the same as somebody elsewhere with this name and address."),
    "email_slip": _("E-mail addresses that look mistyped: they are taken over as they stand."),
    "unknown_relationship": _("Words for a relationship that we don't know: “parent” is used."),
    "row_numbers": _(
        "A column counts the rows (1, 2, 3 …): it is not read as the school's own numbers. If it"
        " holds them all the same, choose the file again and say so with the columns."
    ),
    "rows_joined": _(
        "Several rows of one name and class: read as one pupil with several guardians."
    ),
    "two_classes": _("One pupil with several classes in the file: the first one counts."),
    "two_addresses": _("One guardian with several addresses in the file: the first row counts."),
    "relationships_unread": _(
        "The file relationships.csv is not read: guardians without a pupil may be in it."
        " Export the links as “agentSourcedIds” of users.csv."
    ),
    "large_change": _("A large part of the school would end at once."),
    "many_addresses": _(
        "Many guardians would get another e-mail address at once: has a column of the list slipped?"
    ),
    "school_name": _("The file calls the school otherwise: is it the right file?"),
}
"""In the languages of schools; ``sentence`` speaks the reader's."""

OPERATORS_ONLY: Final = frozenset({"same_person", "address_kept"})
"""That somebody is known elsewhere is nothing for a school to learn (security rule C3). Whose
name and address its file may change depends on that."""


@dataclass(frozen=True)
class Finding:
    """Something that looks wrong: how often, and a few cases in the file's own words."""

    code: str
    count: int
    samples: tuple[str, ...]
    people: tuple[Person, ...] = ()
    """Everybody whom it is about; none where it is kept in numbers."""

    @property
    def sentence(self) -> str:
        """In the language of the page, or of ``force_locale``."""
        return str(SENTENCES[self.code])


def find_problems(scope: Scope, plan: Plan) -> list[Finding]:
    """What looks wrong at this school, in the caller's transaction, after ``planning.plan``."""
    queries = _ALWAYS if scope.delta else {**_ALWAYS, **_IN_WHOLE_FILES}
    problems = [
        _made("shared_address", _cases(_SHARED_ADDRESS, scope, lambda row: row[4])),
        _made("duplicate_guardians", _cases(_TWICE, scope, lambda _: "")),
    ]
    problems += [_queried(code, query, scope.ids()) for code, query in queries.items()]
    problems += [_slips(scope), _classes(scope)]
    problems.append(_made(former.KIND, former.list_people(scope, SEPARATED)))
    problems += [
        Finding(code, 1, (f"{share:.0%}",))
        for code, share in (
            ("large_change", plan.share_ending),
            ("many_addresses", plan.share_readdressed),
        )
        if share > LARGE
    ]
    if plan.same_people:
        problems.append(_same_people(scope, plan))
    return [each for each in problems if each.count]


def of_file(run: RosterRun) -> list[Finding]:
    """What looks wrong in a whole file, whatever the school; before anything is applied.

    Whose pupils were passed over, because they are of other schools, is no mistake of the file.
    """
    if run.delta or OF_OTHER_SCHOOLS in run.reading.get("ignored", {}):
        return []
    finding = _queried("guardians_without_pupil", _WITHOUT_PUPIL, {"run": run.id})
    return [finding] if finding.count else []


def _queried(code: str, query: str, ids: dict[str, Any]) -> Finding:
    """A query's rows: who, and where known the line, what stood and what the file has."""
    rows = sorted(bulk.fetch(query, **ids), key=lambda row: row[1] if len(row) > 1 else 0)
    return _made(code, [_person(*row) for row in rows])


def _person(who: str, line: int | None = None, old: str = "", new: str = "") -> Person:
    return Person(who, old or "", new or "", str(line or ""))


def _made(
    code: str,
    people: Iterable[Person],
    shown: Callable[[Person], str] = lambda each: each.who,
) -> Finding:
    everybody = tuple(people)
    samples = tuple(shown(each) for each in everybody[:SAMPLES])
    return Finding(code, len(everybody), samples, everybody if code not in _NUMBERS else ())


_NUMBERS: Final = frozenset({"no_classes"})
"""Findings that are about nobody in particular."""

_ADDRESSES: Final = f"""
SELECT g.given_name || ' ' || g.family_name, g.email, min(g.line) {_GUARDIANS}
WHERE {_OF} AND g.email_key IS NOT NULL
GROUP BY g.given_name, g.family_name, g.email
"""


def _slips(scope: Scope) -> Finding:
    """Addresses that look mistyped, and what was meant."""
    people = [
        Person(name.strip(), email, suggested, str(line))
        for name, email, line in bulk.fetch(_ADDRESSES, **scope.ids())
        if (suggested := meant(email))
    ]
    return _made("email_slip", people, lambda each: f"{each.who}, {each.old} → {each.new}")


_CLASSES: Final = """
SELECT DISTINCT p.class_name FROM roster_pupils p
WHERE p.run_id = :run AND p.school_id = :school AND p.present AND p.class_name <> ''
UNION
SELECT DISTINCT c.class_name FROM children c
WHERE c.school_id = :school AND c.left_at IS NULL AND c.class_name <> ''
  AND NOT EXISTS (SELECT 1 FROM roster_changes x WHERE x.run_id = :run AND x.school_id = :school
                  AND x.child_id = c.id AND x.kind IN ('child_left', 'child_changed'))
"""


def _classes(scope: Scope) -> Finding:
    """Classes, of the file or known already, that differ in spaces, case or « ème » alone."""
    groups = namesakes.alike(row[0] for row in bulk.fetch(_CLASSES, **scope.ids()))
    return _made("class_variants", [Person(" = ".join(group)) for group in groups])


def _same_people(scope: Scope, plan: Plan) -> Finding:
    who = {each.sourced_id for each in plan.same_people}
    rows = bulk.fetch(
        f"SELECT g.sourced_id, g.given_name, g.family_name, g.line {_GUARDIANS} WHERE {_OF}"
        " ORDER BY g.number",
        **scope.ids(),
    )
    people = [Person(f"{row[1]} {row[2]}", lines=str(row[3])) for row in rows if row[0] in who]
    return _made("same_person", people)


# The groups alone are brought here: a district has hundreds of thousands of guardians
_IN_GROUPS: Final = """
SELECT g.{0}, g.name_key, g.given_name, g.family_name, g.email, g.line
FROM roster_matches m CROSS JOIN roster_guardians g
WHERE m.run_id = :run AND m.school_id = :school AND g.run_id = :run
  AND g.sourced_id = m.sourced_id AND g.present AND g.given_name <> '' AND g.{0} IN (
    SELECT k.{0} FROM roster_matches n CROSS JOIN roster_guardians k
    WHERE n.run_id = :run AND n.school_id = :school AND k.run_id = :run
      AND k.sourced_id = n.sourced_id AND k.present AND k.given_name <> ''
      AND k.{0} IS NOT NULL
    GROUP BY k.{0} HAVING {1})
ORDER BY g.{0}, g.number
"""
_SHARED_ADDRESS: Final = _IN_GROUPS.format("email_key", "count(DISTINCT k.name_key) > 1")
_TWICE: Final = _IN_GROUPS.format(
    "name_key", "count(*) > 1 AND count(DISTINCT k.email_key) < count(*)"
)


def _cases(query: str, scope: Scope, shared: Callable[[Any], str]) -> list[Person]:
    rows = bulk.fetch(query, **scope.ids())
    return [_case(list(group), shared) for _, group in groupby(rows, key=lambda row: row[0])]


def _case(rows: list[Any], shared: Callable[[Any], str]) -> Person:
    names = dict.fromkeys(f"{row[2]} {row[3]}" for row in rows)
    lines = ", ".join(str(row[5]) for row in rows)
    return Person(", ".join(names), new=shared(rows[0]), lines=lines)
