"""A3: a lost second step is reset by two people of the desk, who may do it by one table."""

from collections.abc import Callable
from datetime import timedelta
from itertools import product

import pytest
from sqlalchemy import select, update

from idp import clock
from idp.credentials import totp
from idp.credentials.models import FactorReset, Passkey, TotpSecret
from idp.database import db, transaction
from idp.desk.access import rights as desk_staff
from idp.desk.access.rights import Staff
from idp.desk.people import factor_resets
from idp.errors import Conflict, NotFound
from idp.lifecycle import endings
from idp.people import guardianships, staff
from idp.people.models import Account, StaffRole
from idp.sessions import service as sessions
from tests import factories
from tests.admin.places import Desk
from tests.relying_party import Browser, forms_of
from tests.second_factors import audited, code_now, switch_on, told
from tests.times import later

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)

ROLES = ("helper", "manager", "stranger", "operator")
HOLDERS = ("parent", "helper", "manager", "stranger", "operator", "everywhere", "both")
ASKS = {
    "manager": {"parent", "helper", "manager"},
    "stranger": {"stranger"},
    "operator": {"parent", "helper", "manager", "stranger", "everywhere", "both"},
}
"""Who may ask, about whom: of an operator nobody, as that is done at a terminal. ``everywhere``: a
helper of every school; ``both``: of two schools."""
CONFIRMS = {
    ("manager", "manager"): {"parent", "helper"},
    ("manager", "operator"): {"parent", "helper", "manager"},
    ("stranger", "operator"): {"stranger"},
    ("operator", "operator"): ASKS["operator"],
}
"""Who asked and who confirms, about whom; nothing else."""


def person(desk: Desk, kind: str, name: str) -> Account:
    """Another one of this kind, with a second step."""
    if kind == "parent":
        account, _ = factories.family(desk.here, "Lina", username=name)
    else:
        account = factories.account(name)
        role = {"stranger": "manager", "everywhere": "helper", "both": "helper"}.get(kind, kind)
        school = {"operator": None, "everywhere": None, "stranger": desk.elsewhere.id}
        staff.grant(account.id, role, school.get(kind, desk.here.id))
        if kind == "both":
            staff.grant(account.id, role, desk.elsewhere.id)
    switch_on(account.id)
    factories.long_in_office()
    return account


def at_desk(account: Account) -> Staff:
    found = desk_staff.staff_of(account.id)
    assert found is not None
    return found


def outcome(act: object, who: Staff, account: Account) -> str:
    try:
        return "done" if act(who, account.id) else "gone"  # type: ignore[operator]
    except NotFound:
        return "absent"
    except Conflict:
        return "refused"
    finally:
        db.session.rollback()


def outcomes() -> list[str | None]:
    """What became of the requests, the oldest first."""
    db.session.rollback()
    return list(db.session.scalars(select(FactorReset.outcome).order_by(FactorReset.asked_at)))


@pytest.mark.parametrize("asker", ROLES)
def test_a3_who_may_ask_is_one_table(desk: Desk, asker: str) -> None:
    who = at_desk(person(desk, asker, "asker"))
    for number, holder in enumerate(HOLDERS):
        lost = person(desk, holder, f"lost{number}")
        may = holder in ASKS.get(asker, set())
        found = outcome(factor_resets.request_reset, who, lost)
        assert (found == "done") == may, f"{asker} about {holder}: {found}"
        assert totp.is_on(lost.id)


@pytest.mark.parametrize(("asker", "confirmer"), list(product(ROLES, ROLES)))
def test_a3_who_may_confirm_is_one_table(desk: Desk, asker: str, confirmer: str) -> None:
    first, second = person(desk, asker, "asker"), person(desk, confirmer, "confirmer")
    for number, holder in enumerate(HOLDERS):
        lost = person(desk, holder, f"lost{number}")
        if holder not in ASKS.get(asker, set()):
            continue
        assert factor_resets.request_reset(at_desk(first), lost.id)
        may = holder in CONFIRMS.get((asker, confirmer), set())
        found = outcome(factor_resets.confirm, at_desk(second), lost)
        assert (found == "done") == may, f"{confirmer} for {asker} about {holder}: {found}"
        assert totp.is_on(lost.id) != may


def test_a3_nobody_asks_for_themselves_nor_confirms_for_themselves_or_alone(desk: Desk) -> None:
    manager, other = person(desk, "manager", "first"), person(desk, "manager", "second")
    with pytest.raises(Conflict, match="reset_not_theirs"):
        factor_resets.request_reset(at_desk(manager), manager.id)
    factor_resets.request_reset(at_desk(other), manager.id)
    for alone in (manager, other):
        with pytest.raises(Conflict, match="reset_not_theirs"):
            factor_resets.confirm(at_desk(alone), manager.id)
    assert totp.is_on(manager.id)


def test_two_people_reset_a_helpers_second_step_at_the_desk(desk: Desk) -> None:
    helper, second = desk.staff("helper"), person(desk, "manager", "second")
    sessions.begin(helper.id, amr=("pwd", "otp", "mfa"), acr="x")
    (role,) = staff.roles_of(helper.id)
    manager = desk.browser("manager")
    manager.open(f"/admin/staff/{role.id}")
    manager.open(f"/admin/second-step/{helper.id}")
    manager.press("factor-reset-ask")
    assert manager.shows("factor-reset-waits")
    assert not manager.shows("factor-reset-confirm")
    assert len(told("factors_reset_asked")) == 1
    operator = desk.browser("operator")
    operator.open("/admin/staff")
    assert operator.shows("factor-resets")
    operator.open(f"/admin/second-step/{helper.id}")

    operator.press("factor-reset-confirm")

    db.session.rollback()
    assert not totp.is_on(helper.id)
    assert sessions.live(helper.id) == []
    assert [len(told(each)) for each in ("factors_reset_asked", "factors_reset")] == [1, 1]
    (asked,), (done,) = audited("factors_reset_asked"), audited("factors_reset")
    manager_id, operator_id = desk.staff("manager").id, desk.staff("operator").id
    assert (asked.actor, done.actor) == (manager_id, operator_id)
    assert (done.detail or {})["asked_by"] == manager_id
    assert {asked.school_id, done.school_id} == {desk.here.id}
    assert not operator.open("/admin/staff").text.count("factor-resets")
    assert second.id not in (asked.actor, done.actor)


def test_a_parents_second_step_is_reset_too(desk: Desk) -> None:
    claire = person(desk, "parent", "claire")
    manager = desk.browser("manager")
    manager.open(f"/admin/people/{claire.id}")
    assert manager.shows("person-second-step")
    manager.open(f"/admin/second-step/{claire.id}")
    manager.press("factor-reset-ask")
    assert factor_resets.confirm(at_desk(person(desk, "manager", "second")), claire.id)
    db.session.rollback()
    assert not totp.is_on(claire.id)


def test_a_request_lasts_a_day_and_can_be_made_again(desk: Desk) -> None:
    claire = person(desk, "parent", "claire")
    first, second = person(desk, "manager", "first"), person(desk, "manager", "second")
    assert factor_resets.request_reset(at_desk(first), claire.id)
    assert not factor_resets.request_reset(at_desk(second), claire.id), "one at a time"
    with later(hours=24, minutes=1):
        assert not factor_resets.confirm(at_desk(second), claire.id)
        assert totp.is_on(claire.id)
        assert factor_resets.request_reset(at_desk(second), claire.id)
    assert outcomes() == ["void", None]


def test_a3_a_request_dies_with_the_role_of_who_asked(desk: Desk) -> None:
    claire, first = person(desk, "parent", "claire"), person(desk, "manager", "first")
    factor_resets.request_reset(at_desk(first), claire.id)
    staff.revoke(first.id, "manager", desk.here.id)
    assert not factor_resets.confirm(at_desk(person(desk, "operator", "second")), claire.id)
    assert totp.is_on(claire.id)


def test_a3_a_request_dies_with_a_role_that_its_holder_gets(desk: Desk) -> None:
    claire, first = person(desk, "parent", "claire"), person(desk, "manager", "first")
    factor_resets.request_reset(at_desk(first), claire.id)
    staff.grant(claire.id, "operator", None)
    assert not factor_resets.confirm(at_desk(person(desk, "operator", "second")), claire.id)
    assert totp.is_on(claire.id)


def test_who_asked_and_who_may_confirm_may_decline(desk: Desk) -> None:
    claire = person(desk, "parent", "claire")
    first, second = person(desk, "manager", "first"), person(desk, "manager", "second")
    for decliner in (first, second):
        factor_resets.request_reset(at_desk(first), claire.id)
        assert factor_resets.decline(at_desk(decliner), claire.id)
    assert totp.is_on(claire.id)
    assert len(told("factors_reset_declined")) == 2


def test_e3_one_member_of_staff_asks_for_ten_a_day(desk: Desk) -> None:
    first = person(desk, "operator", "first")
    for number in range(10):
        factor_resets.request_reset(at_desk(first), person(desk, "parent", f"parent{number}").id)
    last = person(desk, "parent", "last")
    with pytest.raises(Conflict, match="too_many_resets"):
        factor_resets.request_reset(at_desk(first), last.id)
    with later(days=1, minutes=1):
        assert factor_resets.request_reset(at_desk(first), last.id)


def test_nothing_is_asked_for_where_nothing_is_set_up(desk: Desk) -> None:
    claire, _ = factories.family(desk.here, "Lina", username="claire")
    with pytest.raises(Conflict, match="nothing_to_reset"):
        factor_resets.request_reset(at_desk(person(desk, "manager", "first")), claire.id)


def test_a3_asking_and_confirming_want_a_fresh_proof(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    claire, browser = person(desk, "parent", "claire"), desk.browser("manager")
    page = browser.open(f"/admin/second-step/{claire.id}")
    assert page.status_code == 200
    moved = clock.now() + timedelta(minutes=11)
    monkeypatch.setattr(clock, "now", lambda: moved)
    browser.press("factor-reset-ask")
    assert not browser.shows("factor-reset-waits")
    db.session.rollback()
    assert not audited("factors_reset_asked")


def test_a2_elsewhere_is_as_if_nobody_were_there(desk: Desk) -> None:
    claire, stranger = person(desk, "parent", "claire"), desk.browser("stranger")
    answers = {
        stranger.open(f"/admin/second-step/{each}").status_code for each in (claire.id, "a_none")
    }
    assert answers == {404}


def test_a3_a_request_dies_with_the_account_of_who_asked(desk: Desk) -> None:
    claire, first = person(desk, "parent", "claire"), person(desk, "manager", "first")
    second = at_desk(person(desk, "operator", "second"))
    assert factor_resets.request_reset(at_desk(first), claire.id)
    endings.disable_account(first.id)
    assert factor_resets.waiting(second) == []
    assert not factor_resets.confirm(second, claire.id)
    endings.enable_account(first.id)
    assert not factor_resets.confirm(second, claire.id), "dead for good"
    assert totp.is_on(claire.id)
    assert outcomes() == ["void"]


def test_a3_a_request_dies_when_who_asked_works_at_another_school(desk: Desk) -> None:
    claire, first = person(desk, "parent", "claire"), person(desk, "manager", "first")
    assert factor_resets.request_reset(at_desk(first), claire.id)
    staff.revoke(first.id, "manager", desk.here.id)
    staff.grant(first.id, "manager", desk.elsewhere.id)
    factories.long_in_office()
    assert not factor_resets.confirm(at_desk(person(desk, "operator", "second")), claire.id)
    assert totp.is_on(claire.id)


def test_a3_a_request_dies_when_its_holder_leaves_the_school_of_who_asked(desk: Desk) -> None:
    claire, first = person(desk, "parent", "claire"), person(desk, "manager", "first")
    factories.guardianship(claire, factories.child(desk.elsewhere, "Noé"))
    assert factor_resets.request_reset(at_desk(first), claire.id)
    lina = next(
        child for child, _ in guardianships.live_children(claire.id) if child.given_name == "Lina"
    )
    endings.end_guardianship(claire.id, lina.id, "court")
    assert not factor_resets.confirm(at_desk(person(desk, "operator", "second")), claire.id)
    assert totp.is_on(claire.id)


def of_two_schools(desk: Desk) -> Account:
    claire = person(desk, "parent", "claire")
    factories.guardianship(claire, factories.child(desk.elsewhere, "Noé"))
    return claire


def test_c3_another_school_learns_nothing_of_a_request_and_makes_its_own(desk: Desk) -> None:
    claire, manager = of_two_schools(desk), desk.staff("manager")
    assert factor_resets.request_reset(at_desk(manager), claire.id)
    there = at_desk(desk.staff("stranger"))
    assert factor_resets.waiting(there) == []
    assert not factor_resets.confirm(there, claire.id)
    assert not factor_resets.decline(there, claire.id)
    stranger = desk.browser("stranger")
    assert not stranger.open("/admin/staff").text.count("factor-resets")
    stranger.open(f"/admin/second-step/{claire.id}")

    page = stranger.press("factor-reset-ask")

    assert stranger.shows("factor-reset-waits")
    assert desk.staff("stranger").full_name in page.text
    assert manager.full_name not in page.text
    assert [each.asked_by.id for each in factor_resets.waiting(at_desk(manager))] == [manager.id]
    operator = at_desk(person(desk, "operator", "operator2"))
    assert len(factor_resets.waiting(operator)) == 2


@pytest.mark.parametrize(
    ("role", "end"), list(product(("manager", "operator"), ("confirm", "decline")))
)
def test_c3_a_request_ends_in_the_logbooks_that_it_began_in(
    desk: Desk, role: str, end: str
) -> None:
    claire, first = of_two_schools(desk), person(desk, "manager", "first")
    assert factor_resets.request_reset(at_desk(first), claire.id)
    act = {"confirm": factor_resets.confirm, "decline": factor_resets.decline}[end]

    assert act(at_desk(person(desk, role, "second")), claire.id)

    (asked,) = audited("factors_reset_asked")
    (ended,) = audited({"confirm": "factors_reset", "decline": "factors_reset_declined"}[end])
    assert (asked.school_id, ended.school_id) == (desk.here.id, desk.here.id)
    assert (ended.detail or {})["asked_by"] == first.id


def test_c3_of_two_schools_requests_one_is_done_and_the_other_has_nothing_left(desk: Desk) -> None:
    claire = of_two_schools(desk)
    for name, kind in (("first", "manager"), ("stranger1", "stranger")):
        assert factor_resets.request_reset(at_desk(person(desk, kind, name)), claire.id)
    assert factor_resets.confirm(at_desk(person(desk, "manager", "second")), claire.id)
    assert not factor_resets.confirm(at_desk(person(desk, "stranger", "stranger2")), claire.id)
    assert sorted(outcomes()) == ["done", "void"]


def _signs_in(desk: Desk, account: Account, secret: str, _codes: list[str]) -> None:
    browser = Browser(desk.app.test_client())
    browser.open("/")
    browser.sign_in(account.username)
    browser.submit("second-factor-form", code=code_now(secret))


def _recovers(desk: Desk, account: Account, _secret: str, codes: list[str]) -> None:
    browser = Browser(desk.app.test_client())
    browser.open("/")
    browser.sign_in(account.username)
    browser.submit("second-factor-form", code=codes[0])


def _uses_passkey(_desk: Desk, account: Account, _secret: str, _codes: list[str]) -> None:
    long_ago = clock.now() - timedelta(days=90)
    with transaction() as writes:
        writes.add(
            Passkey(
                account_id=account.id,
                credential_id="abc",
                public_key=b"",
                name="Phone",
                created_at=long_ago,
                last_used_at=clock.now(),
            )
        )


def _sets_up(_desk: Desk, account: Account, _secret: str, _codes: list[str]) -> None:
    with transaction():
        totp.switch_off(TotpSecret.account_id == account.id)
    switch_on(account.id)


@pytest.mark.parametrize("proves", [_signs_in, _recovers, _uses_passkey, _sets_up])
def test_a3_a_request_dies_when_its_holder_shows_that_nothing_is_lost(
    desk: Desk, proves: Callable[[Desk, Account, str, list[str]], None]
) -> None:
    claire, _ = factories.family(desk.here, "Lina", username="claire")
    with later(hours=-1):
        secret, codes = switch_on(claire.id)
    first, second = person(desk, "manager", "first"), person(desk, "manager", "second")
    assert factor_resets.request_reset(at_desk(first), claire.id)
    proves(desk, claire, secret, codes)
    db.session.rollback()
    assert not factor_resets.state(at_desk(second), claire.id).waiting
    assert not factor_resets.confirm(at_desk(second), claire.id)
    assert totp.is_on(claire.id)
    with later(hours=1):
        assert factor_resets.request_reset(at_desk(first), claire.id), "lost since, after all"
        assert factor_resets.confirm(at_desk(second), claire.id)


def test_a_request_that_was_confirmed_meanwhile_is_not_said_to_be_declined(desk: Desk) -> None:
    claire, _ = factories.family(desk.here, "Lina", username="claire", email="claire@x.example")
    switch_on(claire.id)
    manager, second = desk.browser("manager"), person(desk, "manager", "second")
    manager.open(f"/admin/second-step/{claire.id}")
    manager.press("factor-reset-ask")
    assert factor_resets.confirm(at_desk(second), claire.id)

    page = manager.press("factor-reset-decline").text

    assert "Rien n&#39;est réinitialisé" not in page
    assert "n&#39;existe plus" in page or "plus de demande" in page
    assert not totp.is_on(claire.id)


def test_a3_its_holder_says_this_was_not_me(desk: Desk) -> None:
    claire, _ = factories.family(desk.here, "Lina", username="claire", email="claire@x.example")
    secret, _codes = switch_on(claire.id)
    browser = Browser(desk.app.test_client())
    browser.open("/")
    browser.sign_in("claire")
    browser.submit("second-factor-form", code=code_now(secret))
    browser.open("/account/two-factor")
    assert not browser.shows("reset-not-me")
    with later(minutes=5):
        first, second = person(desk, "manager", "first"), person(desk, "manager", "second")
        assert factor_resets.request_reset(at_desk(first), claire.id)
        browser.open("/account/two-factor")

        older_page = browser.open("/account/two-factor").text
        browser.open("/account/two-factor")
        browser.press("reset-not-me")

        assert not browser.shows("reset-not-me")
        db.session.rollback()
        assert not factor_resets.confirm(at_desk(second), claire.id)
        hidden = next(
            each for each in forms_of(older_page) if each.action.endswith("/not-me")
        ).hidden
        page = browser._follow(browser.client.post("/account/two-factor/not-me", data=hidden))
        assert "avait déjà reçu une réponse" in page.text
    assert totp.is_on(claire.id)
    (declined,) = audited("factors_reset_declined")
    assert (declined.actor, declined.school_id) == (claire.id, desk.here.id)
    assert len(told("factors_reset_declined")) == 1
    assert outcomes() == ["declined"]


def test_a3_one_operator_who_hires_another_is_not_two_people(desk: Desk) -> None:
    claire, operator = person(desk, "parent", "claire"), person(desk, "operator", "first")
    puppet = factories.account("puppet")
    switch_on(puppet.id)
    staff.grant(puppet.id, "helper", desk.here.id)
    factories.long_in_office()
    staff.grant(puppet.id, "operator")
    for act in (factor_resets.request_reset, factor_resets.confirm):
        with pytest.raises(Conflict, match="role_too_new"):
            act(at_desk(puppet), claire.id)
        if act is factor_resets.request_reset:
            assert factor_resets.request_reset(at_desk(operator), claire.id)
    assert totp.is_on(claire.id)
    with later(hours=72, minutes=1):
        assert factor_resets.request_reset(at_desk(puppet), claire.id)
        assert factor_resets.confirm(at_desk(operator), claire.id)


def test_a3_a_role_of_long_at_another_school_makes_a_new_one_no_older(desk: Desk) -> None:
    lina_only, both = person(desk, "parent", "paul"), of_two_schools(desk)
    first, mover = person(desk, "manager", "first"), person(desk, "stranger", "mover")
    assert factor_resets.request_reset(at_desk(first), both.id)
    staff.grant(mover.id, "manager", desk.here.id)
    with pytest.raises(Conflict, match="role_too_new"):
        factor_resets.request_reset(at_desk(mover), lina_only.id)
    with pytest.raises(Conflict, match="role_too_new"):
        factor_resets.confirm(at_desk(mover), both.id)
    assert totp.is_on(both.id)


def test_a3_whose_role_is_new_is_told_how_old_it_must_be(desk: Desk) -> None:
    claire, browser = person(desk, "parent", "claire"), desk.browser("manager")
    browser.open(f"/admin/second-step/{claire.id}")
    with transaction() as writes:
        writes.execute(update(StaffRole).values(granted_at=clock.now() - timedelta(hours=71)))

    page = browser.press("factor-reset-ask")

    assert browser.shows("factor-reset-too-new")
    assert not browser.shows("factor-reset-ask")
    assert page.text.count("72 heures") >= 2
    db.session.rollback()
    assert not audited("factors_reset_asked")
