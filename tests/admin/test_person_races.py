"""Acts on one person at the same moment: one wins, the other gets a clean answer; on both
databases, because their locks differ."""

from flask import Flask
from sqlalchemy import func, select

from idp.audit.models import AuditEvent
from idp.database import db
from idp.desk.access.rights import AT_TERMINAL, Staff, staff_of
from idp.desk.people import account_actions, guardianships, merging, new_guardian
from idp.desk.people.account_actions import Reason
from idp.desk.people.new_guardian import Newcomer
from idp.errors import NotFound
from idp.lifecycle import sign_in
from idp.lifecycle.sign_in import Proof, ProofGone
from idp.mail.models import OutboxMessage
from idp.people import accounts
from idp.people.guardianships import live_children
from idp.people.models import Account, Child, Guardianship
from idp.sessions import service as sessions
from tests import factories
from tests.admin.places import Desk
from tests.parallel import at_once

OTHER = Reason("other")


def manager(desk: Desk) -> Staff:
    found = staff_of(desk.staff("manager").id)
    assert found is not None
    return found


def claire_of(desk: Desk, username: str = "claire") -> tuple[Account, Child]:
    claire, (lina,) = factories.family(
        desk.here, "Lina", username=username, email=f"{username}@x.example"
    )
    return claire, lina


def count(model: type, *which: object) -> int:
    db.session.rollback()
    return db.session.scalar(select(func.count()).select_from(model).where(*which)) or 0


def live(account: Account) -> int:
    db.session.rollback()
    return len(live_children(account.id))


def test_twenty_clicks_send_one_mail(app: Flask, desk: Desk) -> None:
    claire, _lina = claire_of(desk)
    staff = manager(desk)
    results, errors = at_once(app, 20, lambda: account_actions.send_token(staff, claire.id))
    assert (errors, results.count(True)) == ([], 1)
    assert count(OutboxMessage, OutboxMessage.kind == "school_token") == 1


def test_two_managers_end_and_link_once(app: Flask, desk: Desk) -> None:
    claire, lina = claire_of(desk)
    staff = manager(desk)
    ends, errors = at_once(app, 4, lambda: guardianships.end(staff, claire.id, lina.id, OTHER))
    assert (errors, ends.count(True)) == ([], 1)
    links, errors = at_once(app, 4, lambda: guardianships.link(staff, claire.id, lina.id, "mother"))
    assert (errors, links.count(guardianships.Linked.NOW)) == ([], 1)
    assert count(Guardianship) == 2


def test_two_schools_close_at_once_and_the_last_disables(app: Flask, desk: Desk) -> None:
    claire, _lina = claire_of(desk)
    factories.guardianship(claire, factories.child(desk.elsewhere, "Noé"))
    stranger = staff_of(desk.staff("stranger").id)
    both = [manager(desk), stranger]

    _results, errors = at_once(
        app, 2, lambda: account_actions.close_access(both.pop(), claire.id, OTHER)
    )

    assert errors == []
    assert live(claire) == 0
    db.session.expire_all()
    assert accounts.get_account(claire.id).status == "disabled"


def test_two_merges_the_other_way_round_keep_one_account(app: Flask, desk: Desk) -> None:
    one, _ = claire_of(desk)
    two, _ = claire_of(desk, "claire2")
    staff = manager(desk)
    ways = [(one.id, two.id), (two.id, one.id)]

    results, errors = at_once(app, 2, lambda: merging.merge(staff, *ways.pop()))

    assert (results, [type(error) for error in errors]) == ([1], [NotFound])
    assert sorted((live(one), live(two))) == [0, 2]
    assert count(AuditEvent, AuditEvent.event == "accounts_merged") == 1


def test_a_merge_while_the_parent_signs_in_leaves_no_session_of_the_closed(
    app: Flask, desk: Desk
) -> None:
    keep, _ = claire_of(desk)
    close, _ = claire_of(desk, "claire2")
    proof = Proof(close.id, close.credentials_epoch, ("pwd",))
    calls = [
        lambda: merging.merge(AT_TERMINAL, keep.id, close.id),
        lambda: sign_in.begin(proof),
    ]

    def next_one() -> object:
        return calls.pop()()

    _results, errors = at_once(app, 2, next_one)

    assert all(isinstance(error, ProofGone) for error in errors)
    db.session.rollback()
    assert sessions.live(close.id) == []
    assert live(keep) == 2


def test_namesakes_added_at_once_get_names_of_their_own(app: Flask, desk: Desk) -> None:
    _claire, lina = claire_of(desk)
    staff = manager(desk)
    newcomer = Newcomer("Marie", "Maes")
    made, errors = at_once(app, 4, lambda: new_guardian.add_new(staff, lina.id, newcomer).username)
    assert errors == []
    assert len(set(made)) == 4
