"""An act at the desk asks for what it needs, and loads no page that it does not show."""

import secrets
from collections.abc import Callable, Iterator
from typing import Final

import pytest

from idp.mail import outbox
from idp.people import staff as roles
from idp.people.models import Account, Child
from idp.privacy import erasure
from idp.web.admin.blueprint import key_of
from tests import factories
from tests.admin.places import Desk
from tests.parallel import Queries
from tests.relying_party import forms_of
from tests.second_factors import switch_on

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)

MOST: Final = {
    "correct the address": 18,
    "correct the name": 13,
    "correct the user name": 14,
    "set the language": 9,
    "send a token": 11,
    "close access": 25,
    "disable": 16,  # one ends what schools ask them (rule N4)
    "enable": 11,  # one tells the applications that were told of the end (RISC 1.0 §2.4)
    "link": 17,
    "name otherwise what they are": 10,
    "end a guardianship": 16,
    "link again": 17,
    "correct a pupil": 14,
    "a pupil leaves": 20,
    "a pupil is back": 13,
    "a family leaves": 22,
    "add a pupil": 12,
    "merge": 32,
    "add a known guardian": 18,
    "add a new guardian": 20,
    "answer an erasure": 14,
    "tokens for a class": 12,
    "invite a school": 10,
    "send a mail again": 11,
    "print a letter": 25,
    "change a school": 11,
    "send a specimen": 10,
    "disable an application": 11,
    "enable an application": 11,
    "give a role": 14,
    "hire": 20,
    "let print": 9,
    "take a role": 14,
    "ask for a reset": 26,
    "confirm a reset": 41,
    "decline a reset": 28,
}
"""Statements of the request that acts, the once-only form (4) and who is there (1) among them."""


class Acting:
    """A member of staff whose forms are sent, each once, without looking at a page before."""

    def __init__(self, desk: Desk, who: str, *, may_print: bool = False) -> None:
        self._client = (browser := desk.browser(who, may_print=may_print)).client
        forms = forms_of(browser.open("/account/profile").text)
        self._token = next(each.hidden["csrf_token"] for each in forms if each.hidden)

    def __call__(self, address: str, **fields: str) -> list[str]:
        data = {"csrf_token": self._token, "once": secrets.token_urlsafe(16), **fields}
        with Queries() as asked:
            answer = self._client.post(f"/admin{address}", data=data)
        assert answer.status_code in {200, 303}, (address, answer.text[-3000:])
        return asked


Done = Iterator[tuple[str, list[str]]]


@pytest.fixture
def manager(desk: Desk) -> Acting:
    return Acting(desk, "manager", may_print=True)


@pytest.fixture
def operator(desk: Desk) -> Acting:
    return Acting(desk, "operator")


def family(desk: Desk, *names: str, **changes: str) -> tuple[Account, list[Child]]:
    email = f"parent-{secrets.token_hex(4)}@dubois.example"
    return factories.family(desk.here, *(names or ("Lina",)), **{"email": email, **changes})


def on_an_account(desk: Desk, manager: Acting, operator: Acting) -> Done:
    claire = f"/people/{family(desk)[0].id}"
    yield "correct the address", manager(f"{claire}/email", email="claire@maes.example")
    name = {"given_name": "Clara", "family_name": "Maes"}
    yield "correct the name", manager(f"{claire}/name", **name)
    yield "correct the user name", manager(f"{claire}/username", username="clara.maes")
    yield "set the language", manager(f"{claire}/language", locale="de")
    yield "send a token", manager(f"{claire}/token")
    yield "disable", operator(f"{claire}/disable")
    yield "enable", operator(f"{claire}/enable")
    yield "close access", manager(f"{claire}/close", reason="court")
    kept, other = family(desk, "Dan")[0], family(desk, "Eve")[0]
    erasure.request_erasure(kept.id)
    yield "answer an erasure", manager(f"/people/{kept.id}/erasure", outcome="declined")
    both = {"keep_id": kept.id, "other_id": other.id}
    yield "merge", manager(f"/people/{kept.id}/merge", **both)


def on_a_pupil(desk: Desk, manager: Acting, _operator: Acting) -> Done:
    parent, (ana, bea) = family(desk, "Ana", "Bea")
    guardian, pupil = family(desk)[0], f"/pupils/{ana.id}"
    theirs = f"{pupil}/guardians/{guardian.id}"
    wish = {"child_id": ana.id, "relationship": "parent"}
    yield "link", manager(f"/people/{guardian.id}/link", **wish)
    other = manager(f"{theirs}/relationship", relationship="other")
    yield "name otherwise what they are", other
    yield "end a guardianship", manager(f"{theirs}/end", reason="mistake")
    yield "link again", manager(f"{theirs}/link", relationship="parent")
    changed = {"given_name": "Anna", "family_name": "Dubois", "class_name": "4C"}
    yield "correct a pupil", manager(f"{pupil}/edit", **changed)
    yield "a pupil leaves", manager(f"{pupil}/leave")
    yield "a pupil is back", manager(f"{pupil}/return")
    yield "a family leaves", manager(f"/people/{parent.id}/leave", child=bea.id)
    yield "add a pupil", manager(f"/schools/{desk.here.id}/pupils/new", **changed)
    known = {"username": family(desk)[0].username, "relationship": "parent"}
    yield "add a known guardian", manager(f"{pupil}/known-guardian", **known)
    new = {"given_name": "Yves", "family_name": "Nouveau", "email": "yves@nouveau.example"}
    new |= {"relationship": "parent", "invite": "1", "sure": "1"}
    yield "add a new guardian", manager(f"{pupil}/new-guardian", **new)


def on_mails_and_letters(desk: Desk, manager: Acting, _operator: Acting) -> Done:
    school = f"/schools/{desk.here.id}"
    invited = family(desk, status="invited")[0].id
    yield "invite a school", manager(f"{school}/invitations")
    yield "tokens for a class", manager(f"{school}/classes/{key_of('3B')}/tokens")
    for claim in outbox.claim_due(10):
        outbox.refused(claim.message, "550 5.1.1 unknown")
        yield "send a mail again", manager(f"/mails/{claim.message.id}/again")
    yield "print a letter", manager(f"/people/{invited}/letter/print", seen="0")


def on_a_school(desk: Desk, manager: Acting, operator: Acting) -> Done:
    school, version = f"/schools/{desk.here.id}", str(desk.here.version)
    contact = {"contact_name": "M. Noël", "contact_email": "bureau@noel.example"}
    yield "change a school", manager(f"{school}/contact", **contact, version=version)
    yield "send a specimen", manager(f"{school}/mails/invitation/fr/test")
    portal = f"/applications/{factories.client_app(desk.here).client.id}"
    yield "disable an application", operator(f"{portal}/disable")
    yield "enable an application", operator(f"{portal}/enable")


def on_staff(desk: Desk, manager: Acting, operator: Acting) -> Done:
    helper, at = family(desk)[0], {"role": "helper", "school": desk.here.id}
    yield "give a role", manager("/staff/new/known", who=helper.username, **at)
    new = {"given_name": "Hugo", "family_name": "Ito", "email": "hugo@ito.example"}
    yield "hire", manager("/staff/new/person", **new, **at)
    (role,) = roles.roles_of(helper.id)
    yield "let print", operator(f"/staff/{role.id}/print", allowed="yes")
    yield "take a role", operator(f"/staff/{role.id}/take")
    switch_on(helper.id)
    lost = f"/second-step/{helper.id}"
    yield "ask for a reset", manager(f"{lost}/ask")
    yield "decline a reset", operator(f"{lost}/decline")
    manager(f"{lost}/ask")
    yield "confirm a reset", operator(f"{lost}/confirm")


@pytest.mark.parametrize(
    "acts_of", [on_an_account, on_a_pupil, on_mails_and_letters, on_a_school, on_staff]
)
def test_each_act_takes_few_statements(
    desk: Desk,
    manager: Acting,
    operator: Acting,
    acts_of: Callable[[Desk, Acting, Acting], Done],
) -> None:
    taken = dict(acts_of(desk, manager, operator))
    too_many = {
        act: [each[:120].replace("\n", " ") for each in asked]
        for act, asked in taken.items()
        if len(asked) > MOST[act]
    }
    assert not too_many, {act: len(asked) for act, asked in too_many.items()}
