"""The fictional school year is the one that was promised, at every start."""

from collections import Counter

from examples.demo.school_year import SCHOOLS, families

FAMILIES = families()
PUPILS = [pupil for family in FAMILIES for pupil in family.pupils]
GUARDIANS = [guardian for family in FAMILIES for guardian in family.guardians]


def test_it_has_two_schools_sixty_pupils_and_eighty_guardians() -> None:
    assert (len(SCHOOLS), len(PUPILS), len(GUARDIANS)) == (2, 60, 80)


def test_it_is_the_same_every_time() -> None:
    assert families() == FAMILIES


def test_user_names_are_unique_and_given_names_are_within_a_family() -> None:
    assert len({guardian.username for guardian in GUARDIANS}) == len(GUARDIANS)
    for family in FAMILIES:
        assert len({pupil.given_name for pupil in family.pupils}) == len(family.pupils)


def test_families_have_one_to_four_children_and_some_are_at_both_schools() -> None:
    assert {len(family.pupils) for family in FAMILIES} == {1, 2, 3, 4}
    schools = [{pupil.school for pupil in family.pupils} for family in FAMILIES]
    assert schools.count({"tilleuls", "moulin"}) >= 2


def test_every_case_is_there() -> None:
    cases = Counter(guardian.case for guardian in GUARDIANS if guardian.case)
    assert cases == {
        "one-child": 1,
        "several-children": 1,
        "four-children": 1,
        "both-schools": 1,
        "no-child": 1,
        "shared-email": 2,
        "ended-guardianship": 1,
        "invited": 1,
        "long-name": 1,
        "non-latin": 1,
        "accents-apostrophe": 1,
    }


def test_two_parents_share_an_address() -> None:
    addresses = Counter(guardian.email for guardian in GUARDIANS)
    assert [count for count in addresses.values() if count > 1] == [2]


def test_names_are_long_accented_and_of_other_scripts() -> None:
    assert any(len(guardian.family_name) == 60 for guardian in GUARDIANS)
    assert any("'" in guardian.family_name for guardian in GUARDIANS)
    names = "".join(pupil.given_name for pupil in PUPILS)
    assert {"é", "ë", "С", "明", "ل"} <= set(names)


def test_most_are_active_and_some_are_invited() -> None:
    statuses = Counter(guardian.status for guardian in GUARDIANS)
    assert statuses["active"] > 60
    assert statuses["invited"] >= 10
