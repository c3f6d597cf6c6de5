"""Letters where one account is fought over: printed twice at once, or claimed meanwhile."""

from collections.abc import Sequence
from typing import Any

import pytest
import typst
from sqlalchemy import select

from idp.audit.models import AuditEvent
from idp.credentials import one_time_tokens
from idp.credentials.models import OneTimeToken
from idp.database import db, transaction
from idp.desk.access.rights import AT_TERMINAL
from idp.desk.printed_letters import paper as letter_paper
from idp.desk.printed_letters import service as printed_letters
from idp.desk.printed_letters.words import Letter
from idp.lifecycle import passwords
from idp.lifecycle.mails import requests as mail_requests
from idp.people import accounts
from tests import factories
from tests.admin.places import Desk
from tests.factories import PASSWORD
from tests.parallel import at_once


def live_tokens(account_id: str) -> int:
    db.session.rollback()
    query = select(OneTimeToken.id).where(
        OneTimeToken.account_id == account_id,
        OneTimeToken.spent_at.is_(None),
        OneTimeToken.ended_at.is_(None),
    )
    return len(list(db.session.scalars(query)))


def test_two_who_print_a_class_at_once_print_it_once(desk: Desk) -> None:
    parents = [factories.family(desk.here, "Lina", status="invited")[0].id for _ in range(4)]
    here = desk.here.id

    results, errors = at_once(
        desk.app,
        3,
        lambda: printed_letters.print_class(AT_TERMINAL, here, "3B", again=True, seen=0),
    )

    assert [each.letters for each in results] == [4]
    assert {str(each) for each in errors} == {"printed_meanwhile"}
    printed = select(AuditEvent.account_id).where(AuditEvent.event == "letter_printed")
    assert sorted(db.session.scalars(printed)) == sorted(parents)


def test_a5_no_account_is_claimed_and_printed_for_at_once(desk: Desk) -> None:
    for _ in range(4):
        parent = factories.family(desk.here, "Lina", status="invited")[0]
        found = one_time_tokens.find(mail_requests.issue_letter_token(parent.id))
        assert isinstance(found, one_time_tokens.Live)
        token_id, account_id = found.token.id, parent.id
        acts = [
            lambda token_id=token_id: passwords.claim_with_token(token_id, PASSWORD),
            lambda account_id=account_id: printed_letters.print_letter(AT_TERMINAL, account_id),
        ]

        at_once(desk.app, 2, lambda acts=acts: acts.pop()())

        db.session.rollback()
        db.session.refresh(parent)
        assert (parent.status, live_tokens(account_id)) in {("active", 0), ("invited", 1)}


def test_letters_that_cannot_be_set_end_no_earlier_ones(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    parent = factories.family(desk.here, "Lina", status="invited")[0]
    in_hand = mail_requests.issue_letter_token(parent.id)

    def out_of_memory(*_: Any, **__: Any) -> bytes:
        raise MemoryError

    monkeypatch.setattr(typst, "compile", out_of_memory)
    with pytest.raises(MemoryError):
        printed_letters.print_class(AT_TERMINAL, desk.here.id, None, again=True, seen=0)
    with pytest.raises(MemoryError):
        printed_letters.print_letter(AT_TERMINAL, parent.id)
    db.session.rollback()

    assert isinstance(one_time_tokens.find(in_hand), one_time_tokens.Live)
    assert live_tokens(parent.id) == 1
    printed = select(AuditEvent.id).where(AuditEvent.event == "letter_printed")
    assert list(db.session.scalars(printed)) == []


def test_who_signs_in_while_the_letters_are_set_is_not_among_them(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    parents = {
        name: factories.family(desk.here, name, status="invited")[0]
        for name in ("Ada", "Bea", "Cleo")
    }
    sets, told = letter_paper.printed, []

    def slowly(given: Sequence[Letter], **face: Any) -> bytes:
        told.append({each.username: each.token for each in given})
        pdf = sets(given, **face)
        if len(told) == 1:
            with transaction():
                accounts.activate(accounts.lock_invited([parents["Bea"].id])[0])
        return pdf

    monkeypatch.setattr(letter_paper, "printed", slowly)

    assert printed_letters.print_class(AT_TERMINAL, desk.here.id, None).letters == 2

    assert [len(each) for each in told] == [3, 2]
    kept = [
        isinstance(one_time_tokens.find(each), one_time_tokens.Live) for each in told[1].values()
    ]
    assert kept == [True, True]
    unknown = [one_time_tokens.find(each) for each in told[0].values()]
    assert {type(each) for each in unknown} == {one_time_tokens.Unknown}
    assert live_tokens(parents["Bea"].id) == 0
