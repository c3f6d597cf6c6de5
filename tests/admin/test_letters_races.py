"""Letters where one account is fought over: printed twice at once, or claimed meanwhile."""

import pytest
from sqlalchemy import select

from idp.audit.models import AuditEvent
from idp.credentials import one_time_tokens
from idp.credentials.models import OneTimeToken
from idp.database import db
from idp.desk import letters
from idp.desk.staff import AT_TERMINAL
from idp.lifecycle import families, passwords
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
        desk.app, 3, lambda: letters.print_class(AT_TERMINAL, here, "3B", again=True, seen=0)
    )

    assert [each.letters for each in results] == [4]
    assert {type(each) for each in errors} == {letters.PrintedMeanwhile}
    printed = select(AuditEvent.account_id).where(AuditEvent.event == "letter_printed")
    assert sorted(db.session.scalars(printed)) == sorted(parents)


def test_a5_no_account_is_claimed_and_printed_for_at_once(desk: Desk) -> None:
    for _ in range(4):
        parent = factories.family(desk.here, "Lina", status="invited")[0]
        found = one_time_tokens.find(families.issue_letter_token(parent.id))
        assert isinstance(found, one_time_tokens.Live)
        token_id, account_id = found.token.id, parent.id
        acts = [
            lambda token_id=token_id: passwords.claim_with_token(token_id, PASSWORD),
            lambda account_id=account_id: letters.print_letter(AT_TERMINAL, account_id),
        ]

        at_once(desk.app, 2, lambda acts=acts: acts.pop()())

        db.session.rollback()
        db.session.refresh(parent)
        assert (parent.status, live_tokens(account_id)) in {("active", 0), ("invited", 1)}


def test_a_class_whose_letters_take_several_transactions_is_whole(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(letters, "BATCH", 2)
    for name in ("Ada", "Bea", "Cleo"):
        factories.family(desk.here, name, status="invited")

    assert letters.print_class(AT_TERMINAL, desk.here.id, None).letters == 3
