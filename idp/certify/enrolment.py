"""Puts the test school into the test provider's database, through the provider's own services."""

import secrets
import unicodedata
from collections.abc import Callable
from typing import Final, cast

from idp.certify.school import (
    CASES,
    FIRST_SCHOOL,
    SECOND_SCHOOL,
    Family,
    Household,
    Parent,
    Person,
    TestSchool,
)
from idp.clients.models import ClientRow
from idp.credentials import passwords
from idp.database import transaction
from idp.lifecycle.endings import end_guardianship
from idp.lifecycle.mails.requests import issue_letter_token
from idp.oidc import subjects
from idp.people import accounts, linking
from idp.people.children import create_child
from idp.people.models import Account, Child, ChildRow
from idp.people.schools import create_school

PASSWORD: Final = "tambour-lanterne-verger-58"  # noqa: S105 – everybody's, and printed
NEW_PASSWORD: Final = "brouette-citadelle-orage-91"  # noqa: S105 – what a newcomer chooses

Enrolled = list[tuple[Family, list[tuple[Account, str]], list[Child]]]


def enrol() -> tuple[list[str], Callable[[ClientRow], TestSchool]]:
    """Enrol every family. Returns the ids of the schools, and what tells how people are known
    to an application once it is registered.

    User names and addresses differ each time, since an application may remember those of before.
    """
    tag = secrets.token_hex(3)
    hashed = passwords.hashed(PASSWORD)
    with transaction():
        schools = [
            create_school(name, contact_email="secretariat@ecole-essai.example", locale="fr").id
            for name in (FIRST_SCHOOL, SECOND_SCHOOL)
        ]
        rows = [_enrolled(family, schools, tag, hashed) for family in CASES]
    return schools, lambda client: _known_to(client, rows)


def _enrolled(
    family: Family, schools: list[str], tag: str, hashed: passwords.Hashed
) -> tuple[Family, list[tuple[Account, str]], list[Child]]:
    children = [
        create_child(schools[pupil.second_school], pupil.given_name, pupil.family_name, "3B")
        for pupil in family.pupils
    ]
    parents = []
    for parent in family.parents:
        account = _account(parent, tag, hashed)
        for child in children:
            linking.link_guardian(account.id, child.id)
            if child.given_name in parent.ended:
                end_guardianship(account.id, child.id, "before the robot came")
        parents.append((account, issue_letter_token(account.id) if parent.invited else ""))
    return family, parents, children


def _account(parent: Parent, tag: str, hashed: passwords.Hashed) -> Account:
    name = parent.login if parent.email == "" else parent.email
    account = accounts.create_account(
        username=f"{parent.login}.{tag}",
        given_name=parent.given_name,
        family_name=parent.family_name,
        email=f"{name}.{tag}@familles.example" if name else None,
    )
    if not parent.invited:
        passwords.store(account.id, hashed)
        accounts.activate(account)
    return account


def _known_to(client: ClientRow, rows: Enrolled) -> TestSchool:
    return TestSchool(
        {
            family.case: Household(
                family.case,
                family.about,
                [_parent(account, token, client) for account, token in parents],
                [_child(child, client) for child in children],
            )
            for family, parents, children in rows
        }
    )


def _parent(account: Account, token: str, client: ClientRow) -> Person:
    names = {account.given_name, account.family_name, account.username}
    return Person(
        account.id,
        account.given_name,
        account.family_name,
        account.username,
        token,
        frozenset({*names, *map(plain, names), subjects.of_guardian(account, client)}),
    )


def _child(child: Child, client: ClientRow) -> Person:
    # Siblings share a family name: it tells nobody apart
    marks = {
        child.given_name,
        plain(child.given_name),
        subjects.of_child(cast(ChildRow, child), client),
    }
    return Person(child.id, child.given_name, child.family_name, marks=frozenset(marks))


def plain(name: str) -> str:
    """A name as an application without accents shows it."""
    decomposed = unicodedata.normalize("NFD", name)
    kept = "".join(each for each in decomposed if not unicodedata.combining(each))
    return kept if kept.isascii() else name
