"""Acts that end something, done to Claire: on guardianships, accounts, passwords, addresses."""

from collections.abc import Callable
from dataclasses import dataclass, field

from flask.testing import FlaskClient
from sqlalchemy import Select, delete, select, update

from idp import clock
from idp.credentials import email_changes
from idp.credentials.models import Password
from idp.database import db, transaction
from idp.desk.access import rights as desk_staff
from idp.desk.access.rights import Staff
from idp.desk.people import account_actions, merging, pupils
from idp.desk.people import guardianships as desk_guardianships
from idp.desk.people.account_actions import Reason
from idp.federation.identity import ForeignIdentity
from idp.lifecycle import (
    email_change,
    endings,
    federation,
    passwords,
    way_back,
)
from idp.lifecycle.endings import Cause, Thing
from idp.people import staff
from idp.people.link_models import LinkRequest
from idp.people.models import Account, Child, Guardianship
from tests import factories
from tests.endings import everything
from tests.endings.everything import Everything, Person
from tests.factories import PASSWORD

NEW = "Brouette-Citadelle-Orage-9"


@dataclass
class About:
    """What an act was about, beside Claire."""

    itself: set[tuple[Thing, str]] = field(default_factory=set)
    sessions: tuple[str, ...] = ()
    children: tuple[str, ...] = ("Lina",)
    schools: tuple[str, ...] = ("here",)
    both: bool = False
    """Paul as well."""


Act = Callable[[Everything, FlaskClient], About]
ACTS: list[tuple[Cause, str, Act]] = []


def act(cause: Cause) -> Callable[[Act], Act]:
    def kept(function: Act) -> Act:
        ACTS.append((cause, function.__name__.strip("_"), function))
        return function

    return kept


def the(thing: Thing, *names: str) -> set[tuple[Thing, str]]:
    return {(thing, name) for name in names}


def operator(there: Everything) -> Staff:
    account = factories.account()
    staff.grant(account.id, "operator", None)
    found = desk_staff.staff_of(account.id)
    assert found is not None
    return found


def manager(there: Everything) -> Staff:
    account = factories.account()
    staff.grant(account.id, "manager", there.school.id)
    found = desk_staff.staff_of(account.id)
    assert found is not None
    return found


def _both(there: Everything) -> Select[tuple[str]]:
    return select(Account.id).where(Account.id.in_([there.claire.id, there.paul.id]))


def _set(person: Person, **values: object) -> None:
    with transaction() as writes:
        writes.execute(update(Account).where(Account.id == person.id).values(**values))


@act(Cause.GUARDIANSHIP_ENDED)
def _by_hand(there: Everything, _http: FlaskClient) -> About:
    lina = there.claire.children[0]
    assert desk_guardianships.end(operator(there), there.claire.id, lina.id, Reason("family"))
    return About()


@act(Cause.SEPARATED)
def _by_a_court(there: Everything, _http: FlaskClient) -> About:
    lina = there.claire.children[0]
    assert desk_guardianships.end(operator(there), there.claire.id, lina.id, Reason("court"))
    return About()


@act(Cause.SEPARATED)
def _at_their_request(there: Everything, _http: FlaskClient) -> About:
    children = [there.claire.children[0].id, there.paul.children[0].id]
    ended = select(Guardianship.id).where(Guardianship.child_id.in_(children))
    assert endings.end_guardianships(ended, "", "request") == 2
    return About(both=True)


@act(Cause.ACCESS_CLOSED)
def _at_a_school(there: Everything, _http: FlaskClient) -> About:
    # With a child elsewhere, the account goes on
    factories.guardianship(there.claire.account, factories.child(there.elsewhere, "Noé"))
    account_actions.close_access(manager(there), there.claire.id, Reason("moved"))
    return About(children=("Lina", "Tom"))


@act(Cause.ACCESS_CLOSED)
def _with_a_merge(there: Everything, _http: FlaskClient) -> About:
    factories.guardianship(there.claire.account, factories.child(there.elsewhere, "Noé"))
    kept, _children = factories.family(there.school, "Eva")
    merging.merge(manager(there), kept.id, there.claire.id)
    return About(children=("Lina", "Tom"))


@act(Cause.QUESTIONS_ENDED)
def _by_a_court_while_a_school_only_asks(there: Everything, _http: FlaskClient) -> About:
    asked = select(LinkRequest.child_id).join(Child, Child.id == LinkRequest.child_id)
    asked = asked.where(
        LinkRequest.account_id == there.claire.id, Child.school_id == there.school.id
    )
    child_id = db.session.scalars(asked.limit(1)).one()
    assert desk_guardianships.end(manager(there), there.claire.id, child_id, Reason("court"))
    return About()


@act(Cause.GUARDIANSHIP_ENDED)
def _with_a_pupil_who_left(there: Everything, _http: FlaskClient) -> About:
    assert pupils.leave(operator(there), there.claire.children[0].id)
    return About()


@act(Cause.GUARDIANSHIP_ENDED)
def _of_many(there: Everything, _http: FlaskClient) -> About:
    children = [there.claire.children[0].id, there.paul.children[0].id]
    ended = select(Guardianship.id).where(Guardianship.child_id.in_(children))
    assert endings.end_guardianships(ended, "not in the file any more") == 2
    return About(both=True)


@act(Cause.ACCOUNT_DISABLED)
def _by_an_operator(there: Everything, _http: FlaskClient) -> About:
    assert endings.disable_account(there.claire.id)
    return About(the(Thing.PROOFS, "a proof"))


def _no_guardians(*people: Person) -> None:
    with transaction() as writes:
        ids = [each.id for each in people]
        writes.execute(delete(Guardianship).where(Guardianship.account_id.in_(ids)))


@act(Cause.ACCOUNT_CLOSED)
def _one(there: Everything, _http: FlaskClient) -> About:
    _no_guardians(there.claire)
    assert endings.close_accounts([there.claire.id, there.paul.id]) == 1
    return About(the(Thing.PROOFS, "a proof"))


@act(Cause.ACCOUNT_CLOSED)
def _many(there: Everything, _http: FlaskClient) -> About:
    _no_guardians(there.claire, there.paul)
    assert endings.close_accounts(_both(there)) == 2
    return About(the(Thing.PROOFS, "a proof"), both=True)


def _claimed_by_token(there: Everything, _http: FlaskClient) -> About:
    passwords.claim_with_token(everything.token_of(there.claire), NEW)
    return About(the(Thing.PASSWORD, "the password"))


def _claimed_by_command(there: Everything, _http: FlaskClient) -> About:
    passwords.set_first_password(there.claire.id, NEW)
    return About(the(Thing.PASSWORD, "the password"))


def _claimed_by_provider(there: Everything, _http: FlaskClient) -> About:
    with transaction() as writes:
        writes.execute(delete(Password).where(Password.account_id == there.claire.id))
    identity = ForeignIdentity("fourth", "https://fourth.example", there.claire.id, "")
    federation.claim_with_token(everything.token_of(there.claire), identity)
    return About(the(Thing.PASSWORD, "the password"))


def _first(claim: Act) -> Act:
    def done(there: Everything, http: FlaskClient) -> About:
        _set(there.claire, status="invited")
        return claim(there, http)

    return done


def _by_passkey_only(claim: Act) -> Act:
    def done(there: Everything, http: FlaskClient) -> About:
        everything.without(there, Thing.APP, Thing.RECOVERY_CODES)
        staff.grant(there.claire.id, "helper", there.school.id)
        return claim(there, http)

    return done


for _claim in (_claimed_by_token, _claimed_by_command, _claimed_by_provider):
    ACTS += [
        (Cause.CLAIMED, _claim.__name__, _first(_claim)),
        (Cause.RESET, _claim.__name__, _claim),
        (Cause.RESET_BY_PASSKEY_ONLY, _claim.__name__, _by_passkey_only(_claim)),
    ]


@act(Cause.PASSWORD_CHANGED)
def _on_the_account_page(there: Everything, _http: FlaskClient) -> About:
    claire = there.claire
    here = claire.sessions["here"]
    passwords.change_password(claire.account, PASSWORD, NEW, here, device_secret=claire.device)
    return About(the(Thing.PASSWORD, "the password"))


@act(Cause.ADDRESS_ASKED)
def _asked(there: Everything, _http: FlaskClient) -> About:
    everything.without(there, Thing.DISPUTES)
    here = there.claire.sessions["here"]
    asked = email_change.request_change(there.claire.account, "other@x.example", here)  # type: ignore[arg-type]
    assert isinstance(asked, email_change.Requested)
    return About(the(Thing.ADDRESS_CHANGES, "one that waits"))


@act(Cause.ADDRESS_CANCELLED)
def _cancelled(there: Everything, _http: FlaskClient) -> About:
    assert email_change.cancel(there.claire.id, there.claire.sessions["here"])
    return About(the(Thing.ADDRESS_CHANGES, "one that waits"))


def _link_to(change_id: str, purpose: str) -> str:
    change = email_changes.get_change(change_id)
    assert change is not None
    return email_changes.mint_link(change, purpose, "m_x")


@act(Cause.ADDRESS_CONFIRMED)
def _confirmed(there: Everything, _http: FlaskClient) -> About:
    done = email_change.confirm(_link_to(there.claire.ids["waiting"], "confirm"))
    assert isinstance(done, email_change.Open)
    return About(the(Thing.ADDRESS_CHANGES, "one that waits"))


@act(Cause.ADDRESS_CORRECTED)
def _by_the_school(there: Everything, _http: FlaskClient) -> About:
    assert email_change.by_staff(there.claire.id, "corrected@x.example")
    return About(the(Thing.PROOFS, "a proof"))


@act(Cause.ADDRESS_CORRECTED)
def _by_a_file(there: Everything, _http: FlaskClient) -> About:
    endings.end_former_addresses(_both(there))
    return About(the(Thing.PROOFS, "a proof"), both=True)


def _taken_back(there: Everything) -> About:
    done = email_change.undo(_link_to(there.claire.ids["newer"], "undo"))
    assert isinstance(done, email_change.Open)
    return About()


@act(Cause.ADDRESS_TAKEN_BACK)
def _from_a_thief(there: Everything, _http: FlaskClient) -> About:
    return _taken_back(there)


@act(Cause.ADDRESS_TAKEN_BACK_FROM_CLAIM)
def _from_who_set_a_password(there: Everything, _http: FlaskClient) -> About:
    with transaction() as writes:
        writes.execute(update(Password).values(rooted_at=None, set_at=clock.now()))
    return _taken_back(there)


@act(Cause.WAY_BACK_ENDED)
def _on_an_operators_word(there: Everything, _http: FlaskClient) -> About:
    assert way_back.end_for(there.claire.id, there.claire.ids["newer"])
    return About(the(Thing.WAYS_BACK, "newer"))
