"""R4: what may happen once happens once, on both databases, whoever comes at the same time."""

from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any

import pytest
from flask import Flask

from idp import clock
from idp.credentials import one_time_tokens
from idp.credentials.models import Password
from idp.database import db, transaction
from idp.errors import Conflict
from idp.federation import authorization_request, links
from idp.federation.identity import ForeignIdentity
from idp.lifecycle import federation
from tests import factories
from tests.federation.worlds import linked, links_of

ISSUER = "https://provider.example"
IDENTITY = ForeignIdentity("google", ISSUER, "1001")
both = pytest.mark.parametrize("database_url", ["sqlite", "postgresql"], indirect=True)


def at_once(app: Flask, works: list[Callable[[], Any]]) -> list[str]:
    """Run them at the same moment, each as a request of its own; what became of each."""
    barrier = Barrier(len(works), timeout=60)

    def run(work: Callable[[], Any]) -> str:
        with app.app_context():
            try:
                barrier.wait()
                return type(work()).__name__
            except (federation.LinkedElsewhere, federation.TokenGone) as lost:
                return type(lost).__name__
            except Conflict as lost:
                return lost.code
            finally:
                db.session.remove()

    db.session.rollback()
    with ThreadPoolExecutor(len(works)) as pool:
        return list(pool.map(run, works))


@both
def test_f1_a_state_is_spent_by_one_of_many(app: Flask) -> None:
    asked = authorization_request.begin("browser", "google", "sign_in", locale="fr")
    works = [lambda: authorization_request.come_back(asked.state, "browser", "google")] * 8
    assert Counter(at_once(app, works)) == {"Back": 1, "Again": 7}


@both
def test_f5_of_many_guardians_one_gets_the_identity(app: Flask) -> None:
    accounts = [factories.account() for _ in range(6)]
    ids = [each.id for each in accounts]
    works = [lambda account_id=each: federation.link(account_id, IDENTITY, epoch=0) for each in ids]
    assert Counter(at_once(app, works)) == {"bool": 1, "LinkedElsewhere": 5}
    assert sorted(map(len, map(links_of, accounts))) == [0] * 5 + [1]


@both
def test_p6_a_token_makes_one_link(app: Flask) -> None:
    account = factories.account(status="invited", email="a@b.example")
    with transaction():
        token = one_time_tokens.mint(account.id, "first_sign_in")
    live = one_time_tokens.find(token)
    assert isinstance(live, one_time_tokens.Live)
    token_id = live.token.id
    people = [ForeignIdentity("google", ISSUER, str(number)) for number in range(6)]
    works = [lambda who=each: federation.claim_with_token(token_id, who) for each in people]
    assert Counter(at_once(app, works)) == {"Proof": 1, "TokenGone": 5}
    assert len(links_of(account)) == 1


@both
def test_of_two_links_unlinked_at_once_the_last_way_in_stays(app: Flask) -> None:
    account = factories.account()
    with transaction() as writes:
        writes.query(Password).filter_by(account_id=account.id).delete()
    issuers = [each.issuer for each in app.extensions["idp.settings"].providers[:2]]
    for issuer, provider in zip(issuers, ("google", "facebook"), strict=True):
        linked(account, issuer, "1", provider)
    account_id = account.id
    found = [link.id for link in links.of_account(account_id)]
    works = [lambda link=each: federation.unlink(account_id, link) for each in found]
    assert Counter(at_once(app, works)) == {"str": 1, "last_way_in": 1}
    assert len(links_of(account)) == 1


@both
def test_unlinking_beside_the_provider_and_a_sign_in_leaves_no_half_state(app: Flask) -> None:
    account = factories.account()
    account_id, link_id = account.id, linked(account, ISSUER).id
    works: list[Callable[[], Any]] = [
        lambda: federation.unlink(account_id, link_id),
        lambda: federation.end_by_provider(ISSUER, "1001", clock.now()),
        lambda: federation.prove(IDENTITY),
    ]
    at_once(app, works)
    assert links_of(account) == []
    assert isinstance(federation.prove(IDENTITY), federation.NotLinked)
