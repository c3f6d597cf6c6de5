"""Security events of guardianships, sessions and accounts: RFC 8417, RFC 8935, CAEP and RISC."""

from collections.abc import Iterator
from datetime import timedelta

import pytest
from flask.testing import FlaskClient
from sqlalchemy import select

from idp import clock, purge
from idp.clients.metadata import (
    ACCOUNT_DISABLED,
    ACCOUNT_ENABLED,
    CONSENT_WITHDRAWN,
    GUARDIANSHIP_ENDED,
    SECURITY_EVENTS,
    SESSION_REVOKED,
)
from idp.database import db, transaction
from idp.deliveries import worker
from idp.deliveries.models import EventDelivery
from idp.errors import Invalid
from idp.lifecycle import endings
from idp.oidc.models import Grant
from idp.people import linking
from idp.people.models import Guardianship
from tests import factories, receiver
from tests.receiver import Receiver
from tests.relying_party import Browser, RelyingParty, World, answer, claims_of, world
from tests.times import later

pytestmark = pytest.mark.quick_on("sqlite")


@pytest.fixture
def there() -> Iterator[Receiver]:
    with receiver.running() as listening:
        yield listening


@pytest.fixture
def here(client: FlaskClient, there: Receiver) -> World:
    made = world(client, "Lina", "Tom", **there.registered(*SECURITY_EVENTS))
    made.portal.redirect_uri = f"{there.address}/callback"
    return made


def child_claim(here: World, number: int) -> dict[str, str]:
    """Sign in for one of the two children; what the ID token says of it, and of the guardian."""
    here.ask(scope="openid child", prompt="select_account")
    page = here.browser.press(f"child-submit-{number + 1}")
    tokens = here.tokens_of(answer(page))
    claims = claims_of(here.http, tokens["id_token"])
    return {"guardian": claims["sub"], "child": claims["child"]["sub"]}


def end(here: World, number: int) -> None:
    assert endings.end_guardianship(here.guardian.id, here.children[number].id, "court", "court")


def test_the_event_is_a_security_event_token(here: World, there: Receiver) -> None:
    """RFC 8417 §2.2: iss, iat, jti, aud, toe and events; its type in the header; no exp."""
    known = child_claim(here, 0)
    end(here, 0)
    worker.deliver_due()
    (told,) = there.events(here.http)
    assert told["iss"] == "http://127.0.0.1:8000"
    assert told["aud"] == here.portal.client_id
    assert told["toe"] <= told["iat"]
    assert told["jti"]
    assert told["events"] == {GUARDIANSHIP_ENDED: {"child": {"sub": known["child"]}}}
    assert not {"exp", "sub", "nonce"} & told.keys()


def test_the_subject_is_the_guardian_as_this_application_knows_them(
    here: World, there: Receiver
) -> None:
    """RFC 9493 §3.2.4: the subject is the issuer and the guardian's pairwise sub."""
    known = child_claim(here, 0)
    end(here, 0)
    worker.deliver_due()
    assert there.events(here.http)[0]["sub_id"] == {
        "format": "iss_sub",
        "iss": "http://127.0.0.1:8000",
        "sub": known["guardian"],
    }


def test_the_sibling_the_other_guardian_and_the_session_are_not_told_of(
    here: World, there: Receiver
) -> None:
    """RFC 8417 §2.2: the event speaks of this guardian and this child, and no session ends."""
    paul = factories.account("paul")
    factories.guardianship(paul, here.children[0])
    lina, tom = child_claim(here, 0), child_claim(here, 1)
    other = Browser(here.http.application.test_client())
    other.open(here.portal.authorize_path(scope="openid child"))
    other.sign_in("paul")
    end(here, 0)
    worker.deliver_due()
    (told,) = there.events(here.http)
    assert told["events"][GUARDIANSHIP_ENDED]["child"]["sub"] == lina["child"] != tom["child"]
    assert told["sub_id"]["sub"] == lina["guardian"]
    assert there.logouts(here.http) == []


def test_who_never_was_told_of_the_child_is_not_told_of_its_end(
    here: World, there: Receiver
) -> None:
    """RFC 8417 §7: an application learns nothing of people whom it did not know."""
    child_claim(here, 1)
    end(here, 0)
    assert worker.deliver_due() == 0
    assert there.heard == []


def test_many_guardianships_that_end_at_once_are_told_each(here: World, there: Receiver) -> None:
    """RFC 8935 §2: each event is transmitted, those of a whole file too."""
    child_claim(here, 0)
    child_claim(here, 1)
    theirs = select(Guardianship.id).where(Guardianship.account_id == here.guardian.id)
    assert endings.end_guardianships(theirs, "not in the file any more") == 2
    worker.deliver_due()
    subs = [each["events"][GUARDIANSHIP_ENDED]["child"]["sub"] for each in there.events(here.http)]
    assert len(set(subs)) == len(subs) == 2


def test_the_grant_may_have_ended_and_been_forgotten_by_its_tokens(
    here: World, there: Receiver
) -> None:
    """RFC 8935 §2: an application whose tokens have expired may show the child's page still."""
    child_claim(here, 0)
    with later(days=20):
        purge.run(pause=0)
        end(here, 0)
        worker.deliver_due()
        assert len(there.events(here.http)) == 1


def test_a_push_is_a_post_of_the_token(here: World, there: Receiver) -> None:
    """RFC 8935 §2.1: POST with content type application/secevent+jwt, the token as its body."""
    child_claim(here, 0)
    end(here, 0)
    worker.deliver_due()
    (heard,) = there.heard
    assert heard.content_type == "application/secevent+jwt"
    assert heard.body.count(".") == 2


def test_202_says_that_it_is_taken_over(here: World, there: Receiver) -> None:
    """RFC 8935 §2.2: the receiver answers 202."""
    there.status = 202
    child_claim(here, 0)
    end(here, 0)
    worker.deliver_due()
    assert [(each.status, each.answer) for each in rows()] == [("told", "202")]


def test_400_with_err_is_final(here: World, there: Receiver) -> None:
    """RFC 8935 §2.3: 400 with err and description says that the event is no good."""
    there.refuses(400, err="invalid_audience", description="not us")
    child_claim(here, 0)
    end(here, 0)
    worker.deliver_due()
    (row,) = rows()
    assert (row.status, row.answer) == ("refused", "400 “invalid_audience: not us”")


@pytest.mark.parametrize("code", ["invalid_key", "authentication_failed", "access_denied"])
def test_400_about_the_try_is_tried_again(here: World, there: Receiver, code: str) -> None:
    """RFC 8935 §2.4: what is wrong with a key or with access may be right at the next try."""
    there.refuses(400, err=code, description="not yet")
    child_claim(here, 0)
    end(here, 0)
    worker.deliver_due()
    there.refuses(202)
    with later(seconds=6):
        worker.deliver_due()
    assert [(each.status, each.attempts) for each in rows()] == [("told", 2)]


def test_a_second_try_is_the_same_event(here: World, there: Receiver) -> None:
    """RFC 8935 §2: what is transmitted again has the same jti, so that it counts once."""
    there.status = 503
    child_claim(here, 0)
    end(here, 0)
    worker.deliver_due()
    there.status = 202
    with later(seconds=6):
        worker.deliver_due()
        first, second = there.events(here.http)
    assert first["jti"] == second["jti"]
    assert first["toe"] == second["toe"]


def test_a_session_that_ends_is_told_in_the_words_of_caep(here: World, there: Receiver) -> None:
    """CAEP 1.0 §3.1: session-revoked, of this user's session."""
    sid = here.claims()["sid"]
    here.browser.sign_out()
    worker.deliver_due()
    (told,) = there.events(here.http)
    assert told["sub_id"]["format"] == "complex"
    assert told["sub_id"]["session"] == {"format": "opaque", "id": sid}
    assert told["events"] == {SESSION_REVOKED: {"event_timestamp": told["toe"]}}


def test_an_account_that_is_disabled_is_told_in_the_words_of_risc(
    here: World, there: Receiver
) -> None:
    """RISC 1.0 §2.3: account-disabled, besides its sessions."""
    here.claims()
    assert endings.disable_account(here.guardian.id)
    worker.deliver_due()
    kinds = [kind for each in there.events(here.http) for kind in each["events"]]
    assert sorted(kinds) == sorted([SESSION_REVOKED, ACCOUNT_DISABLED])
    assert len(there.logouts(here.http)) == 1


def test_an_account_that_is_enabled_again_is_told_afterwards(here: World, there: Receiver) -> None:
    """RISC 1.0 §2.4: account-enabled, to who was told of account-disabled, however long ago."""
    sub = here.claims()["sub"]
    assert endings.disable_account(here.guardian.id)
    worker.deliver_due()
    with later(days=60):
        purge.run(pause=0)
        assert endings.enable_account(here.guardian.id)
        worker.deliver_due()
        kinds = [kind for each in there.events(here.http) for kind in each["events"]]
        told = there.events(here.http)[-1]
    assert sorted(kinds[:-1]) == sorted([SESSION_REVOKED, ACCOUNT_DISABLED])
    assert told["events"] == {ACCOUNT_ENABLED: {}}
    assert told["sub_id"]["sub"] == sub


def test_both_are_told_in_their_order_where_neither_was_yet(here: World, there: Receiver) -> None:
    """RFC 8417 §2: each event is a statement about its time (toe); the last one told is true."""
    here.claims()
    assert endings.disable_account(here.guardian.id)
    assert endings.enable_account(here.guardian.id)
    worker.deliver_due()
    events = there.events(here.http)
    kinds = [kind for each in events for kind in each["events"] if kind != SESSION_REVOKED]
    assert kinds == [ACCOUNT_DISABLED, ACCOUNT_ENABLED]


def test_who_hears_of_no_account_that_opens_is_not_told(here: World, there: Receiver) -> None:
    """RFC 8935 §1: a receiver hears of what it registered for."""
    other = here.other_portal(**there.registered(ACCOUNT_DISABLED))
    other.redirect_uri = here.portal.redirect_uri
    here.browser.open(other.authorize_path())
    endings.disable_account(here.guardian.id)
    endings.enable_account(here.guardian.id)
    worker.deliver_due()
    assert [list(each["events"]) for each in there.events(here.http)] == [[ACCOUNT_DISABLED]]


def linked_again(here: World, number: int) -> None:
    linking.link_guardian(here.guardian.id, here.children[number].id)


def test_an_end_is_told_though_they_are_linked_again(here: World, there: Receiver) -> None:
    """RFC 8417 §2: what the application was given has ended, and its page stands on it."""
    child_claim(here, 0)
    end(here, 0)
    linked_again(here, 0)
    worker.deliver_due()
    assert [list(each["events"]) for each in there.events(here.http)] == [[GUARDIANSHIP_ENDED]]


def test_an_end_is_not_told_to_who_got_a_token_about_the_child_since(
    here: World, there: Receiver
) -> None:
    """RFC 8417 §2: told late, the end would close the page that the later sign-in has opened."""
    child_claim(here, 0)
    end(here, 0)
    linked_again(here, 0)
    child_claim(here, 0)
    worker.deliver_due()
    assert there.heard == []
    assert [each.status for each in rows()] == ["outdated"]

    end(here, 0)
    worker.deliver_due()
    assert len(there.events(here.http)) == 1


def made_meanwhile(account_id: str) -> None:
    """A grant that was on its way when the end was: it is the later of the two, and lives."""
    with transaction():
        grant = db.session.scalars(select(Grant).where(Grant.account_id == account_id)).one()
        grant.created_at, grant.ended_at = clock.now() + timedelta(seconds=1), None
    db.session.rollback()


def test_an_end_is_told_though_a_grant_was_made_while_it_was_under_way(
    here: World, there: Receiver
) -> None:
    """RFC 8417 §2: a guardianship that stays ended is told, whatever was made at that moment."""
    child_claim(here, 0)
    end(here, 0)
    made_meanwhile(here.guardian.id)
    worker.deliver_due()
    assert [list(each["events"]) for each in there.events(here.http)] == [[GUARDIANSHIP_ENDED]]


def test_a_disabled_account_is_told_though_a_grant_was_made_while_it_was_under_way(
    here: World, there: Receiver
) -> None:
    """RISC 1.0 §2.3: an account that stays disabled is told, whatever was made at that moment."""
    here.claims()
    assert endings.disable_account(here.guardian.id)
    made_meanwhile(here.guardian.id)
    worker.deliver_due()
    kinds = [kind for each in there.events(here.http) for kind in each["events"]]
    assert sorted(kinds) == sorted([SESSION_REVOKED, ACCOUNT_DISABLED])


def test_a_later_token_about_the_sibling_changes_nothing(here: World, there: Receiver) -> None:
    """RFC 8417 §2.2: the event is about this guardian and this child alone."""
    known = child_claim(here, 0)
    end(here, 0)
    here.redeem(scope="openid child")
    worker.deliver_due()
    (told,) = there.events(here.http)
    assert told["events"][GUARDIANSHIP_ENDED]["child"]["sub"] == known["child"]


def test_a_consent_that_is_withdrawn_is_told(here: World, there: Receiver) -> None:
    """RFC 8417 §2: a type of our own where neither CAEP nor RISC has a word."""
    third = here.other_portal(**there.registered(CONSENT_WITHDRAWN), first_party=False)
    third.redirect_uri = here.portal.redirect_uri
    here.browser.open(third.authorize_path())
    here.browser.press("consent-allow")
    endings.withdraw_consent(here.guardian.id, third.client_id)
    worker.deliver_due()
    assert [list(each["events"]) for each in there.events(here.http)] == [[CONSENT_WITHDRAWN]]


@pytest.mark.parametrize("allowed_again", [False, True])
def test_a_withdrawn_consent_is_outdated_by_a_sign_in_that_it_is_given_at_again_alone(
    here: World, there: Receiver, allowed_again: bool
) -> None:
    """RFC 8417 §2: a grant that was made at that moment is no consent."""
    third = here.other_portal(**there.registered(CONSENT_WITHDRAWN), first_party=False)
    third.redirect_uri = here.portal.redirect_uri
    here.browser.open(third.authorize_path())
    here.browser.press("consent-allow")
    endings.withdraw_consent(here.guardian.id, third.client_id)
    if allowed_again:
        here.browser.open(third.authorize_path())
        here.browser.press("consent-allow")
    else:
        made_meanwhile(here.guardian.id)
    worker.deliver_due()
    status = {each.event: each.status for each in rows()}["consent-withdrawn"]
    assert status == ("outdated" if allowed_again else "told")


def test_who_names_no_events_hears_of_guardianships(here: World, there: Receiver) -> None:
    """RFC 8935 §1: a receiver hears of what it registered for, by default of guardianships."""
    plain = RelyingParty.of(here.school, **there.registered())
    assert plain.registered.client.metadata_["security_events"] == [GUARDIANSHIP_ENDED]
    with pytest.raises(Invalid):
        RelyingParty.of(here.school, **there.registered("urn:example:unknown"))


def rows() -> list[EventDelivery]:
    db.session.rollback()
    query = select(EventDelivery).order_by(EventDelivery.id)
    return list(db.session.scalars(query.execution_options(populate_existing=True)))
