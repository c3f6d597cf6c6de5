"""What guardians read: each letter, its reader's language, its tokens and its contact."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import time_machine
from flask import Flask
from sqlalchemy import select

from idp.credentials import one_time_tokens
from idp.credentials.models import OneTimeToken
from idp.database import transaction
from idp.lifecycle import endings
from idp.mail import delivery, outbox
from idp.mail.models import OutboxMessage
from idp.people.models import School
from idp.settings import Settings
from tests import factories, smtp
from tests.conftest import settings_for_tests
from tests.smtp import Letter, MailServer

pytestmark = pytest.mark.long_on("postgresql")


@pytest.fixture
def mail_server() -> Iterator[MailServer]:
    with smtp.running() as server:
        yield server


@pytest.fixture
def settings(database_url: str, keys_folder: Path, mail_server: MailServer) -> Settings:
    return settings_for_tests(database_url, keys_folder, mail_port=mail_server.port)


@pytest.fixture
def school(app: Flask) -> School:
    return factories.school("Collège des Tilleuls", contact_phone="+32 2 555 01 02", locale="nl")


@pytest.fixture
def post(app: Flask, mail_server: MailServer) -> Any:
    """Enqueue a message, deliver it and return the letters that arrived."""

    def deliver(kind: str, **values: Any) -> list[Letter]:
        before = len(mail_server.letters)
        outbox.enqueue(kind, **values)
        delivery.deliver_due()
        return mail_server.letters[before:]

    return deliver


def owners(tokens: list[str]) -> list[tuple[str, str]]:
    """User name and purpose of each token, all of which must work."""
    found = [one_time_tokens.find(token) for token in tokens]
    assert all(isinstance(each, one_time_tokens.Live) for each in found)
    return [(each.account.username, each.token.purpose) for each in found]  # type: ignore[union-attr]


def test_an_invitation_says_all_that_a_parent_needs(school: School, post: Any) -> None:
    parent, _ = factories.family(
        school, "Lina", username="claire", email="claire@example.org", status="invited", locale="en"
    )
    (letter,) = post("invitation", account_id=parent.id)
    assert letter.recipients == ["claire@example.org"]
    assert letter.subject == "Your first sign-in at Collège des Tilleuls"
    (token,) = letter.tokens
    assert owners([token]) == [("claire", "first_sign_in")]
    for words in (letter.text, letter.html):
        assert "Hello Claire Dubois," in words
        assert "Your user name: claire" in words
        assert token in words
        assert f"http://127.0.0.1:8000/welcome#{token}" in words
        assert "This token works once, for 14 days." in words
        assert "If this message is not meant for you" in words
        for contact in ("Collège des Tilleuls", "Mme Peeters", "bureau@tilleuls.example"):
            assert contact in words
        assert "+32 2 555 01 02" in words
        assert "Lina" not in words


def test_an_invitation_goes_to_invited_guardians_only(school: School, post: Any) -> None:
    active = factories.account(email="active@example.org")
    disabled = factories.account(email="disabled@example.org", status="disabled")
    no_address = factories.account(status="invited")
    for parent in (active, disabled, no_address):
        assert post("invitation", account_id=parent.id) == []
    assert {message.status for message in outbox.list_messages()} == {"dropped"}


def test_a_forgotten_password_brings_a_token_of_a_day(school: School, post: Any) -> None:
    factories.family(school, "Lina", username="claire", email="claire@example.org", locale="en")
    (letter,) = post("password_reset", about={"email": "claire@example.org"})
    assert letter.subject == "Choose a new password for Collège des Tilleuls"
    assert owners(letter.tokens) == [("claire", "password_reset")]
    assert "This token works once, for 24 hours." in letter.text
    assert "If it was not you who asked, do nothing" in letter.text
    assert "several accounts" not in letter.text


def test_a_shared_address_gets_one_mail_with_a_token_for_each_user_name(
    school: School, post: Any
) -> None:
    shared = {"email": "famille@example.org", "locale": "en"}
    factories.account(username="anne", given_name="Anne", **shared)
    factories.account(username="benoit", given_name="Benoît", status="invited", **shared)
    factories.account(username="carl", status="disabled", **shared)
    (letter,) = post("password_reset", about={"email": "famille@example.org"})
    assert "Hello Anne Dubois and Benoît Dubois," in letter.text
    assert "This address belongs to several accounts." in letter.text
    assert owners(letter.tokens) == [("anne", "password_reset"), ("benoit", "first_sign_in")]
    anne, benoit = (letter.text.index(f"Your user name: {name}") for name in ("anne", "benoit"))
    first, second = (letter.text.index(token) for token in letter.tokens)
    assert anne < first < benoit < second
    assert "carl" not in letter.text


def test_an_address_spelt_in_two_ways_brings_each_account_its_own_mail(post: Any) -> None:
    factories.account(username="anne", email="Famille@example.org")
    factories.account(username="benoit", email="famille@EXAMPLE.org")
    letters = post("password_reset", about={"email": "famille@example.org"})
    found = {letter.recipients[0]: owners(letter.tokens) for letter in letters}
    assert found == {
        "Famille@example.org": [("anne", "password_reset")],
        "famille@example.org": [("benoit", "password_reset")],
    }


def test_nobody_gets_a_mail_for_an_address_without_account(post: Any) -> None:
    assert post("password_reset", about={"email": "nobody@example.org"}) == []
    (message,) = outbox.list_messages()
    assert (message.status, message.answer) == ("dropped", "nobody to write to")


def test_the_holder_of_an_expired_token_gets_a_fresh_one(school: School, post: Any) -> None:
    parent = factories.account(
        username="claire", email="claire@example.org", status="invited", locale="en"
    )
    (letter,) = post("fresh_token", account_id=parent.id)
    assert "A new connection token was asked for" in letter.text
    assert owners(letter.tokens) == [("claire", "first_sign_in")]


def test_a_changed_password_is_told_without_a_token(school: School, post: Any) -> None:
    parent, _ = factories.family(
        school, "Lina", username="claire", email="claire@example.org", locale="en"
    )
    (letter,) = post("password_changed", account_id=parent.id)
    assert letter.subject == "Your password for Collège des Tilleuls was changed"
    assert letter.tokens == []
    assert "If it was not you, tell the school, and choose a new password at once" in letter.text
    assert "http://127.0.0.1:8000/" in letter.text
    assert "Your user name: claire" in letter.html


@pytest.mark.parametrize(
    ("own", "asked_in", "month"),
    [("de", "en", "November"), (None, "fr", "novembre"), (None, None, "november")],
)
def test_a_letter_is_in_its_readers_language(
    school: School, post: Any, own: str | None, asked_in: str | None, month: str
) -> None:
    parent, _ = factories.family(school, "Lina", email="claire@example.org", locale=own)
    with time_machine.travel(datetime(2026, 11, 23, tzinfo=UTC), tick=True):
        about = {"locale": asked_in}
        (letter,) = post("password_changed", account_id=parent.id, about=about)
    assert month in letter.text
    language = own or asked_in or "nl"
    assert letter.message["Content-Language"] == language
    assert f'<html lang="{language}">' in letter.html


def test_a_reader_of_no_school_reads_the_default_language(post: Any) -> None:
    parent = factories.account(email="claire@example.org")
    (letter,) = post("invitation", account_id=parent.id) or post(
        "password_changed", account_id=parent.id
    )
    assert letter.message["Content-Language"] == "fr"


def test_a_guardian_without_children_is_told_the_applications_school(
    school: School, post: Any
) -> None:
    client = factories.client_app(school).client
    parent = factories.account(username="claire", email="claire@example.org", locale="en")
    (letter,) = post(
        "password_reset", about={"email": "claire@example.org", "client_id": client.id}
    )
    assert "Mme Peeters" in letter.text
    token = one_time_tokens.find(letter.tokens[0])
    assert isinstance(token, one_time_tokens.Live)
    assert (token.account.id, token.token.client_id) == (parent.id, client.id)


def test_children_at_two_schools_bring_both_contacts(school: School, post: Any) -> None:
    other = factories.school("École du Parc", contact_name="M. Janssens", contact_email="")
    parent, _ = factories.family(school, "Lina", email="claire@example.org", locale="en")
    factories.guardianship(parent, factories.child(other, "Noé"))
    endings.end_guardianship(parent.id, factories.child(other, "Zoé").id, "never was")
    (letter,) = post("password_changed", account_id=parent.id)
    assert letter.subject == "Your password for iT.SCHOOL was changed"
    assert "Mme Peeters" in letter.text
    assert "M. Janssens" in letter.html


def test_without_any_school_the_letter_still_says_whom_to_ask(post: Any) -> None:
    parent = factories.account(email="claire@example.org", locale="en")
    (letter,) = post("password_changed", account_id=parent.id, about={"client_id": "app_gone"})
    assert "A question? Ask your child's school." in letter.text
    assert "A question? Ask your child's school." in letter.html


@pytest.mark.parametrize(
    ("lifetime", "sentence"),
    [
        (timedelta(days=2), "This token works once, for 2 days."),
        (timedelta(hours=1), "This token works once, for 1 hour."),
        (timedelta(minutes=30), "This token works once, for 30 minutes."),
    ],
)
def test_the_letter_states_the_configured_lifetime(
    settings: Settings, app: Flask, post: Any, lifetime: timedelta, sentence: str
) -> None:
    object.__setattr__(settings, "password_reset_lifetime", lifetime)
    factories.account(email="claire@example.org", locale="en")
    (letter,) = post("password_reset", about={"email": "claire@example.org"})
    assert sentence in letter.text
    assert sentence in letter.html


def test_an_account_disabled_meanwhile_gets_nothing(
    app: Flask, post: Any, mail_server: MailServer
) -> None:
    parent = factories.account(email="claire@example.org")
    message = outbox.enqueue("fresh_token", account_id=parent.id)
    endings.disable_account(parent.id)
    delivery.deliver_due()
    assert mail_server.letters == []
    with transaction() as session:
        assert session.get(OutboxMessage, message.id).status == "dropped"
        assert session.scalars(select(OneTimeToken)).all() == []
