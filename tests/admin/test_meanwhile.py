"""Two people of the office have one page open: the older one takes nothing back."""

import re
from dataclasses import dataclass
from importlib import import_module

import pytest
from flask import Flask

from idp.database import db
from idp.desk.access.rights import AT_TERMINAL
from idp.desk.people import account_actions, guardianships, meanwhile, pupils
from idp.desk.people.account_actions import Reason
from idp.people import staff
from idp.people.models import Account, Child, Guardianship
from tests import factories
from tests.admin.places import Desk, desk_of
from tests.admin.test_person_acts import claire_of
from tests.entrance import PASSWORD_AND_CODE, enter
from tests.relying_party import Browser
from tests.wording import words

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


@dataclass(frozen=True)
class Edits:
    """A form, what its page shows, and two things that may be typed into each field."""

    path: str
    form: str
    fields: dict[str, tuple[str, str, str]]


FORMS = {
    "pupil": Edits(
        "/admin/pupils/{lina}/edit",
        "pupil-form",
        {
            "given_name": ("Lina", "Lena", "Lea"),
            "family_name": ("Dubois", "Maes", "Peeters"),
            "class_name": ("3B", "4A", "5C"),
        },
    ),
    "name": Edits(
        "/admin/people/{claire}/edit",
        "name-form",
        {
            "given_name": ("Claire", "Clara", "Clarisse"),
            "family_name": ("Dubois", "Maes", "Peeters"),
        },
    ),
    "user name": Edits(
        "/admin/people/{claire}/edit",
        "username-form",
        {"username": ("claire", "claire.dubois", "claire.maes")},
    ),
    "address": Edits(
        "/admin/people/{claire}/edit",
        "email-form",
        {"email": ("claire@x.example", "claire@y.example", "claire@z.example")},
    ),
    "language": Edits(
        "/admin/people/{claire}/edit", "person-language-form", {"locale": ("", "nl", "de")}
    ),
    "relationship": Edits(
        "/admin/pupils/{lina}/guardians/{claire}",
        "relationship-form",
        {"relationship": ("parent", "mother", "father")},
    ),
}


@dataclass
class Office:
    """Two managers with the same page open, and what it is about."""

    claire: Account
    lina: Child
    first: Browser
    second: Browser
    edits: Edits

    def opens(self, browser: Browser) -> None:
        path = self.edits.path.format(lina=self.lina.id, claire=self.claire.id)
        assert browser.open(path).status_code == 200

    def saves(self, browser: Browser, **typed: str) -> int:
        shown = {name: values[0] for name, values in self.edits.fields.items()}
        return browser.submit(self.edits.form, **{**shown, **typed}).status_code

    def stored(self) -> dict[str, str]:
        db.session.rollback()
        db.session.expire_all()
        link = db.session.query(Guardianship).one()
        owner = {"pupil-form": self.lina, "relationship-form": link}.get(
            self.edits.form, self.claire
        )
        return {name: getattr(owner, name) or "" for name in self.edits.fields}


def office(desk: Desk, name: str) -> Office:
    claire, lina = claire_of(desk, given_name="Claire", family_name="Dubois")
    colleague = factories.account("colleague", given_name="B", family_name="B")
    staff.grant(colleague.id, "manager", desk.here.id)
    first = desk.browser("manager")
    factories.long_in_office()
    second = Browser(desk.app.test_client())
    enter(second.client, colleague, *PASSWORD_AND_CODE)
    return Office(claire, lina, first, second, FORMS[name])


SEVERAL = [name for name, edits in FORMS.items() if len(edits.fields) > 1]
PAIRS = [
    pytest.param(form, one, other, id=f"{form}: {one}, {other}")
    for form in SEVERAL
    for one in FORMS[form].fields
    for other in FORMS[form].fields
    if one != other
]


@pytest.mark.parametrize(("form", "mine", "theirs"), PAIRS)
def test_what_a_colleague_changed_in_another_field_stays(
    desk: Desk, form: str, mine: str, theirs: str
) -> None:
    at = office(desk, form)
    before = {name: values[0] for name, values in at.edits.fields.items()}
    at.opens(at.first)
    at.opens(at.second)
    at.saves(at.second, **{theirs: at.edits.fields[theirs][1]})

    at.saves(at.first, **{mine: at.edits.fields[mine][2]})

    assert at.stored() == {
        **before,
        theirs: at.edits.fields[theirs][1],
        mine: at.edits.fields[mine][2],
    }


EACH = [
    pytest.param(form, field, id=f"{form}: {field}")
    for form, edits in FORMS.items()
    for field in edits.fields
]


WORDS = {"nl": "Nederlands", "mother": "Mère"}


@pytest.mark.parametrize(("form", "field"), EACH)
def test_what_both_changed_is_compared_before_it_is_saved(
    desk: Desk, form: str, field: str
) -> None:
    at = office(desk, form)
    _shown, theirs, mine = at.edits.fields[field]
    at.opens(at.first)
    at.opens(at.second)
    at.saves(at.second, **{field: theirs})
    assert at.stored()[field] == theirs

    assert at.saves(at.first, **{field: mine}) == 400

    page = words(at.first.page.text)  # type: ignore[union-attr]
    assert "Quelqu'un d'autre a modifié" in page.replace("’", "'")
    assert f"Enregistré actuellement : {WORDS.get(theirs, theirs)}" in page.replace("\xa0", " ")
    assert at.stored()[field] == theirs

    at.saves(at.first, **{field: mine})
    assert at.stored()[field] == mine


@pytest.mark.parametrize(("form", "field"), EACH)
def test_who_changes_nothing_is_asked_where_a_colleague_did(
    desk: Desk, form: str, field: str
) -> None:
    at = office(desk, form)
    shown, theirs, _mine = at.edits.fields[field]
    at.opens(at.first)
    at.opens(at.second)
    at.saves(at.second, **{field: theirs})

    if shown:
        assert at.saves(at.first) == 400
    assert at.stored()[field] == theirs


def test_the_same_change_by_both_is_no_question(desk: Desk) -> None:
    at = office(desk, "pupil")
    at.opens(at.first)
    at.opens(at.second)
    assert at.saves(at.second, class_name="4A") == 200

    assert at.saves(at.first, class_name=" 4A ") == 200
    assert at.stored()["class_name"] == "4A"


def test_the_command_line_and_the_page_write_one_field_each(desk: Desk) -> None:
    at = office(desk, "pupil")
    at.opens(at.first)
    before = {"given_name": "Lina", "family_name": "Dubois", "class_name": "3B"}
    pupils.change(AT_TERMINAL, at.lina.id, **{**before, "class_name": "4A"}, shown=before)

    at.saves(at.first, given_name="Lena")

    assert at.stored() == {"given_name": "Lena", "family_name": "Dubois", "class_name": "4A"}
    with pytest.raises(meanwhile.ChangedMeanwhile):
        account_actions.set_language(AT_TERMINAL, at.claire.id, "nl", {"locale": "de"})
    with pytest.raises(meanwhile.ChangedMeanwhile):
        guardianships.rename(
            AT_TERMINAL, at.claire.id, at.lina.id, "mother", {"relationship": "father"}
        )


def test_what_somebody_was_is_not_said_to_be_saved(desk: Desk) -> None:
    at = office(desk, "relationship")
    at.opens(at.first)
    assert guardianships.end(AT_TERMINAL, at.claire.id, at.lina.id, Reason("mistake"))

    assert at.saves(at.first, relationship="mother") == 200

    page = at.first.page
    assert page is not None
    assert "a pris fin entre-temps" in page.text
    assert "enregistré." not in page.text.replace("Rien n&#39;a été enregistré", "")
    assert at.stored() == {"relationship": "parent"}


HARMLESS = {
    "guardian-form": "makes somebody new: what stands in it was typed a moment ago",
    "token-form": "makes a token: what stands in it is a proposal",
}
"""Forms that show a stored value, and say neither ``version`` nor what they showed: why not."""

_FORM = re.compile(r'<form\b[^>]*method="post".*?</form>', re.DOTALL)
_FILLED = re.compile(
    r'<input\b(?=[^>]*\btype="(?:text|email|tel|url|number)")(?=[^>]*\bvalue="[^"]+")[^>]*>'
)


@pytest.mark.parametrize("part", ["person", "people", "schools", "staff", "clients"])
def test_every_form_of_the_desk_that_shows_what_is_stored_says_what_it_showed(
    app: Flask, part: str
) -> None:
    silent: set[str] = set()
    seen = 0
    for page in import_module(f"tests.admin.walks.{part}").walk(desk_of(app)):
        if page.status_code != 200:
            continue
        for form in _FORM.findall(page.text):
            name = re.search(r'\bid="([^"]+)"', form)
            if not _FILLED.search(form):
                continue
            seen += 1
            if 'name="version"' not in form and 'name="was_' not in form:
                silent.add(name[1] if name else form[:200])
    assert silent <= HARMLESS.keys(), silent
    assert seen or part in {"staff", "people"}
