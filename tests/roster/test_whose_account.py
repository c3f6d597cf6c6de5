"""A file moves no account that somebody made theirs, nor one of the staff (rules A2, P15)."""

from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import select

from idp import clock
from idp.audit.models import AuditEvent
from idp.credentials import email_changes, one_time_tokens
from idp.credentials.models import Passkey
from idp.database import db, transaction
from idp.federation import links
from idp.federation.identity import ForeignIdentity
from idp.people import staff
from idp.people.models import Account
from tests.roster.conftest import Import, JsonOf
from tests.roster.test_matching import one_family

pytestmark = pytest.mark.long_on("postgresql")

WRONG = "attacker@evil.example"
OLD = "claire@dubois.example"


@pytest.fixture
def claire(imported: Import, tmp_path: Path) -> Account:
    imported(one_family(OLD).zip(tmp_path / "1.zip"))
    return the_account()


def the_account() -> Account:
    db.session.expire_all()
    return db.session.scalars(select(Account)).one()


def trail(event: str) -> list[AuditEvent]:
    return list(db.session.scalars(select(AuditEvent).where(AuditEvent.event == event)))


def has_a_passkey(account: Account) -> None:
    db.session.add(Passkey(account_id=account.id, credential_id="x", public_key=b"x", name="x"))


def has_a_link(account: Account) -> None:
    links.make(account.id, ForeignIdentity("google", "https://google.example", "1", "c…"))


def has_a_verified_address(account: Account) -> None:
    account.email_verified_at = clock.now()


def is_staff(account: Account) -> None:
    staff.grant(account.id, "operator")


@pytest.mark.parametrize("owned", [has_a_passkey, has_a_link, has_a_verified_address, is_staff])
def test_a2_an_account_that_somebody_owns_keeps_its_address(
    claire: Account,
    imported: Import,
    checked: Import,
    tmp_path: Path,
    owned: Callable[[Account], None],
) -> None:
    with transaction():
        owned(claire)
    path = one_family(WRONG).zip(tmp_path / "2.zip")

    findings = checked(path)["findings"]
    report = imported(path)

    assert report["counts"] == {}
    assert findings["address_kept"]["count"] == 1
    assert the_account().email == OLD


def test_a2_a_file_does_not_rename_the_staff(
    claire: Account, imported: Import, tmp_path: Path
) -> None:
    with transaction():
        is_staff(claire)
    assert imported(one_family(OLD, "Mallory").zip(tmp_path / "2.zip"))["counts"] == {}
    assert the_account().given_name == "Claire"


def test_p15_with_the_address_ends_what_hung_on_the_former_one(
    claire: Account, imported: Import, tmp_path: Path
) -> None:
    epoch = claire.credentials_epoch
    change = email_changes.begin_change(claire.id, OLD, "else@dubois.example", proved=True)

    report = imported(one_family("right@dubois.example").zip(tmp_path / "2.zip"))

    account = the_account()
    assert (account.email, account.email_verified_at) == ("right@dubois.example", None)
    assert account.credentials_epoch == epoch + 1
    assert email_changes.waiting(account.id) is None
    assert not email_changes.is_undoable(change)
    (event,) = trail("email_changed")
    assert (event.account_id, event.detail) == (account.id, {"by": "school", "run": report["run"]})
    assert trail("account_changed") == []  # the name is as it was


def test_p15_a_changed_name_ends_nothing(claire: Account, imported: Import, tmp_path: Path) -> None:
    token = one_time_tokens.mint(claire.id, "first_sign_in")
    epoch = claire.credentials_epoch

    imported(one_family(OLD, "Clara").zip(tmp_path / "2.zip"))

    assert isinstance(one_time_tokens.find(token), one_time_tokens.Live)
    assert the_account().credentials_epoch == epoch
    assert [each.account_id for each in trail("account_changed")] == [claire.id]
    assert trail("email_changed") == []


def test_p15_the_undo_of_an_address_ends_what_hung_on_it(
    claire: Account, imported: Import, json_of: JsonOf, tmp_path: Path
) -> None:
    run_id = imported(one_family(WRONG).zip(tmp_path / "2.zip"))["run"]
    token = one_time_tokens.mint(claire.id, "first_sign_in", sent_to=WRONG)
    epoch = the_account().credentials_epoch

    (report,) = json_of("roster", "undo", run_id)

    assert report["left"] == {}
    assert the_account().email == OLD
    assert the_account().credentials_epoch == epoch + 1
    assert one_time_tokens.find(token) == one_time_tokens.Unknown()


def test_a2_an_undo_leaves_who_is_staff_by_now(
    claire: Account, imported: Import, json_of: JsonOf, tmp_path: Path
) -> None:
    run_id = imported(one_family("right@dubois.example").zip(tmp_path / "2.zip"))["run"]
    with transaction():
        is_staff(claire)

    (report,) = json_of("roster", "undo", run_id)

    assert report["left"] == {"account_changed": 1}
    assert the_account().email == "right@dubois.example"


def test_an_undo_disables_nobody_of_the_staff(
    imported: Import, json_of: JsonOf, tmp_path: Path
) -> None:
    run_id = imported(one_family(OLD).zip(tmp_path / "1.zip"))["run"]
    with transaction():
        is_staff(the_account())

    (report,) = json_of("roster", "undo", run_id)

    assert report["left"] == {"account_made": 1}
    assert the_account().status == "invited"


def test_r13_what_an_undo_ended_lives_no_more_when_the_file_is_imported_again(
    imported: Import, json_of: JsonOf, tmp_path: Path
) -> None:
    path = one_family(OLD).zip(tmp_path / "1.zip")
    run_id = imported(path)["run"]
    account = the_account()
    token = one_time_tokens.mint(account.id, "first_sign_in")
    change = email_changes.begin_change(account.id, OLD, "else@dubois.example", proved=True)
    epoch = account.credentials_epoch
    json_of("roster", "undo", run_id)
    assert [each.account_id for each in trail("account_disabled")] == [account.id]

    imported(path)

    assert the_account().status == "invited"
    assert the_account().credentials_epoch == epoch + 1
    assert one_time_tokens.find(token) == one_time_tokens.Unknown()
    db.session.refresh(change)
    assert change.ended_at is not None
