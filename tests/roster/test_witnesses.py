"""Who a row is about, as a table: an id, and what speaks for it and against it (rule N2)."""

import pytest

from idp.roster.witnesses import (
    Name,
    Says,
    Witnesses,
    compare_names,
    is_guardian,
    is_pupil,
)

YES, NO, NOTHING = Says.SAME, Says.OTHER, Says.NOTHING


@pytest.mark.parametrize(
    ("before", "after", "name"),
    [
        ("Claire Dubois", "CLAIRE DUBOIS", Name.SAME),
        ("Zoé D’Hœkelaere", "Zoe D'Hoekelaere", Name.SAME),
        ("Claire Dubois", "Claire Dubios", Name.ALIKE),
        ("Claire Dubois", "Claire Dubois-Maes", Name.ALIKE),
        ("Fatima-Zahra Alaoui", "Fatima Alaoui", Name.ALIKE),
        ("Claire Dubois", "Dubois Claire", Name.ALIKE),
        ("Софія Шевченко", "Sofiya Shevchenko", Name.ALIKE),
        ("Claire Dubois", "Claire Maes", Name.SAME_GIVEN),
        ("Claire Dubois", "Marc Dubois", Name.SAME_FAMILY),
        ("Lina Dubois", "Lena Dubois", Name.SAME_FAMILY),  # they may be sisters
        ("Guy Zola", "Neu Zobel", Name.OTHER),
        ("李 伟", "黎 伟", Name.SAME_FAMILY),
    ],
)
def test_names_go_together(before: str, after: str, name: Name) -> None:
    given_name, family_name = before.split(" ", 1)
    assert compare_names(given_name, family_name, *after.split(" ", 1)) is name


GUARDIANS = [
    # name, address, children, is another's, claimed → the same person
    (Name.SAME, YES, YES, False, True, True),
    (Name.SAME, NO, YES, False, True, True),  # another address
    (Name.SAME, YES, NO, False, True, True),  # another child at the school
    (Name.SAME, NO, NO, False, True, False),  # a namesake
    (Name.ALIKE, NO, YES, False, True, True),  # a slip put right
    (Name.ALIKE, NO, NO, False, False, False),
    (Name.ALIKE, YES, YES, True, False, False),  # the neighbour in the list
    (Name.SAME_GIVEN, YES, YES, False, True, True),  # a marriage
    (Name.SAME_GIVEN, NO, YES, False, True, True),
    (Name.SAME_GIVEN, YES, NOTHING, False, True, True),
    (Name.SAME_GIVEN, NOTHING, NOTHING, False, True, True),
    (Name.SAME_GIVEN, NO, NOTHING, False, True, False),
    (Name.SAME_GIVEN, NO, NO, False, False, False),
    (Name.SAME_GIVEN, YES, YES, True, False, False),
    (Name.SAME_FAMILY, YES, YES, False, False, True),  # nobody's account yet, the same mailbox
    (Name.SAME_FAMILY, YES, YES, False, True, False),  # the husband gets no account of the wife
    (Name.SAME_FAMILY, NO, YES, False, False, False),
    (Name.SAME_FAMILY, NOTHING, YES, False, False, False),
    (Name.SAME_FAMILY, YES, YES, True, False, False),
    (Name.OTHER, NO, NO, False, True, False),
    (Name.OTHER, NO, YES, False, False, False),
    (Name.OTHER, YES, NO, False, False, False),
    (Name.OTHER, YES, YES, False, True, False),
    (Name.OTHER, YES, YES, False, False, True),
    (Name.OTHER, NOTHING, NOTHING, False, False, False),
]


@pytest.mark.parametrize(("name", "place", "company", "anothers", "claimed", "same"), GUARDIANS)
def test_n2_a_guardians_id_needs_a_second_witness(
    name: Name, place: Says, company: Says, anothers: bool, claimed: bool, same: bool
) -> None:
    seen = Witnesses(name, place, company, is_anothers=anothers, claimed=claimed)
    assert is_guardian(seen) is same


PUPILS = [
    # name, class, guardians, is another's → the same pupil
    (Name.SAME, NO, YES, False, True),  # moved
    (Name.SAME, YES, NO, False, True),  # other guardians
    (Name.SAME, NO, NOTHING, False, True),
    (Name.SAME, NO, NO, False, False),  # a namesake
    (Name.ALIKE, NO, YES, False, True),
    (Name.ALIKE, NO, NOTHING, False, True),
    (Name.ALIKE, YES, NO, False, False),
    (Name.ALIKE, YES, YES, True, False),
    (Name.SAME_GIVEN, NO, YES, False, True),
    (Name.SAME_GIVEN, YES, NOTHING, False, True),
    (Name.SAME_GIVEN, NO, NOTHING, False, False),
    (Name.SAME_GIVEN, YES, NO, False, False),
    (Name.SAME_FAMILY, YES, YES, False, True),
    (Name.SAME_FAMILY, NO, YES, False, False),  # the sister
    (Name.SAME_FAMILY, YES, YES, True, False),  # the twin, who is here
    (Name.SAME_FAMILY, YES, NOTHING, False, False),
    (Name.OTHER, YES, YES, False, True),
    (Name.OTHER, YES, NO, False, False),
    (Name.OTHER, NO, YES, False, False),
    (Name.OTHER, NO, NO, False, False),
]


@pytest.mark.parametrize(("name", "place", "company", "anothers", "same"), PUPILS)
def test_n2_a_pupils_id_needs_a_second_witness(
    name: Name, place: Says, company: Says, anothers: bool, same: bool
) -> None:
    assert is_pupil(Witnesses(name, place, company, is_anothers=anothers)) is same


def test_n2_nothing_that_agrees_makes_somebody_another() -> None:
    """A witness more for the id never turns a yes into a no."""
    for name in Name:
        for judge in (is_guardian, is_pupil):
            for claimed in (False, True):
                for other in Says:
                    for worse in (NO, NOTHING):
                        if judge(Witnesses(name, worse, other, claimed=claimed)):
                            assert judge(Witnesses(name, YES, other, claimed=claimed))
                        if judge(Witnesses(name, other, worse, claimed=claimed)):
                            assert judge(Witnesses(name, other, YES, claimed=claimed))
