"""R8: every table that grows is purged, and only of what nobody needs any more."""

import threading
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import pytest
import time_machine
from flask import Flask
from sqlalchemy import delete, event, func, select

from idp import clock, purge, settings
from idp.audit import events
from idp.audit.models import AuditEvent, InstallationMark
from idp.clients.models import UsedAssertion
from idp.credentials import devices, email_changes, one_time_tokens
from idp.credentials.models import EmailChangeLink, KnownDevice, OneTimeToken, ThrottleCounter
from idp.database import db, delete_all, keyed_hash, transaction
from idp.mail.models import OutboxMessage
from idp.oidc.models import AccessToken, AuthorizationCode, Grant, RefreshToken
from idp.people.models import Account
from idp.privacy import erasure
from idp.sessions import interactions, persistent
from idp.sessions import service as sessions
from idp.sessions.models import BrowserSession, ChildChoice, Interaction, PersistentLogin
from tests import factories

HOUR = timedelta(hours=1)
DAY = timedelta(days=1)


@pytest.fixture
def parent(app: Flask) -> Account:
    return factories.account(password=None, status="active")


@pytest.fixture
def grant(parent: Account) -> Grant:
    """A grant under a session, with a code and tokens."""
    client = factories.client_app(factories.school()).client
    session, _ = sessions.begin(parent.id, amr=("pwd",), acr="1")
    made = Grant(
        account_id=parent.id,
        client_id=client.id,
        session_id=session.id,
        scope="openid",
        auth_time=clock.now(),
        amr="pwd",
        acr="1",
    )
    with transaction() as writes:
        writes.add(made)
        writes.flush()
        writes.add_all(hanging_on(made))
    return made


def hanging_on(grant: Grant) -> Iterator[Any]:
    now, common = clock.now(), {"grant_id": grant.id}
    yield AuthorizationCode(
        **common, code_hash=hashed("c"), redirect_uri="x", expires_at=now + timedelta(minutes=1)
    )
    yield AccessToken(**common, token_hash=hashed("a"), scope="openid", expires_at=now + HOUR)
    yield RefreshToken(**common, token_hash=hashed("r"), scope="openid", expires_at=now + 30 * DAY)


def hashed(text: str) -> str:
    return keyed_hash("test", text)


def count(model: Any) -> int:
    return db.session.scalar(select(func.count()).select_from(model)) or 0


def purged_after(time: timedelta) -> dict[str, int]:
    """What a purge removes this long from now."""
    with time_machine.travel(clock.now() + time, tick=False):
        return {table: removed for table, removed in purge.run(pause=0).items() if removed}


def test_r8_every_table_is_purged_or_kept_for_a_reason(app: Flask) -> None:
    purged = {table.model.__tablename__ for table in purge.GROWING}
    assert purged | set(purge.KEPT) | set(purge.PEOPLE) == set(db.metadata.tables)
    assert len(purged) + len(purge.KEPT) + len(purge.PEOPLE) == len(db.metadata.tables)


def test_nothing_is_removed_before_its_time(grant: Grant, parent: Account) -> None:
    with transaction():
        one_time_tokens.mint(parent.id, "password_reset")
        devices.remember_device(parent.id, None)
        interactions.begin("browser")
    assert purged_after(timedelta(0)) == {}


def test_r5_a_clock_an_hour_ahead_removes_nothing(grant: Grant) -> None:
    interactions.begin("browser")
    assert purged_after(HOUR) == {}


def test_codes_access_and_refresh_tokens_leave_as_they_expire(grant: Grant) -> None:
    assert purged_after(DAY + 2 * HOUR) == {"authorization_codes": 1, "access_tokens": 1}
    assert count(Grant) == 1  # the refresh token hangs on it still
    removed = purged_after(32 * DAY)
    assert removed == {"refresh_tokens": 1, "grants": 1, "browser_sessions": 1}


def test_o6_a_rotated_refresh_token_is_remembered_until_it_expires(grant: Grant) -> None:
    with transaction():
        token = db.session.scalars(select(RefreshToken)).one()
        token.rotated_at = clock.now()
    assert "refresh_tokens" not in purged_after(29 * DAY)


def test_an_ended_grant_stays_while_its_tokens_could_come_back(grant: Grant) -> None:
    with transaction():
        grant.ended_at = clock.now()
    assert "grants" not in purged_after(20 * DAY)


def test_a_session_leaves_with_its_choices(parent: Account) -> None:
    school = factories.school()
    session, _ = sessions.begin(parent.id, amr=("pwd",), acr="1")
    sessions.choose_child(session.id, factories.child(school), "app")

    assert purged_after(3 * DAY) == {"browser_sessions": 1}
    assert (count(BrowserSession), count(ChildChoice)) == (0, 0)


def test_the_session_on_which_the_next_one_stands_stays_as_long_as_its_browser(
    parent: Account,
) -> None:
    session, _ = sessions.begin(parent.id, amr=("pwd",), acr="1")
    persistent.begin(parent.id, session.id, timedelta(days=90))

    assert purged_after(80 * DAY) == {}
    assert purged_after(92 * DAY) == {"persistent_logins": 1, "browser_sessions": 1}


def test_a_purge_that_knows_of_no_browser_that_stays_may_remove_its_session(
    parent: Account,
) -> None:
    """The previous release's, where somebody went back to it."""
    session, _ = sessions.begin(parent.id, amr=("pwd",), acr="1")
    persistent.begin(parent.id, session.id, timedelta(days=90))

    assert delete_all(BrowserSession, BrowserSession.id == session.id) == 1
    assert count(PersistentLogin) == 0


def test_interactions_leave_before_the_tokens_that_they_proved(parent: Account) -> None:
    interaction = interactions.begin("browser")
    with transaction():
        clear = one_time_tokens.mint(parent.id, "password_reset")
    live = one_time_tokens.find(clear)
    assert isinstance(live, one_time_tokens.Live)
    interactions.verify_token(interaction, live.token.id)
    one_time_tokens.spend(live.token.id)

    assert purged_after(3 * DAY) == {"interactions": 1, "one_time_tokens": 1}
    assert (count(Interaction), count(OneTimeToken)) == (0, 0)


def test_an_expired_token_stays_so_that_its_holder_can_be_told(parent: Account) -> None:
    with transaction():
        clear = one_time_tokens.mint(parent.id, "password_reset")
    assert purged_after(60 * DAY) == {}
    with time_machine.travel(clock.now() + 60 * DAY):
        assert isinstance(one_time_tokens.find(clear), one_time_tokens.Expired)
    assert purged_after(92 * DAY) == {"one_time_tokens": 1}


def test_counters_leave_when_they_have_faded(app: Flask) -> None:
    now = clock.now()
    with transaction() as writes:
        for name, blocked in (("faded", now), ("blocked", now + 400 * DAY)):
            writes.add(
                ThrottleCounter(key=hashed(name), attempts=9, blocked_until=blocked, updated_at=now)
            )
    assert purged_after(30 * DAY) == {"throttle_counters": 1}
    assert count(ThrottleCounter) == 1


def test_devices_leave_when_they_are_known_no_more(parent: Account) -> None:
    factories.guardianship(parent, factories.child(factories.school()))  # so that they stay
    with transaction():
        devices.remember_device(parent.id, None)
        devices.remember_device(parent.id, None)
    assert purged_after(300 * DAY) == {}
    assert "known_devices" in purged_after(401 * DAY)
    assert count(KnownDevice) == 0


def test_used_assertions_leave_after_their_expiry(app: Flask) -> None:
    with transaction() as writes:
        writes.add(
            UsedAssertion(jti_hash=hashed("j"), client_id="app", expires_at=clock.now() + HOUR)
        )
    assert purged_after(DAY) == {}
    assert purged_after(DAY + 2 * HOUR) == {"used_assertions": 1}


def test_m3_mail_that_waits_is_never_purged(app: Flask) -> None:
    with transaction() as writes:
        for status in ("queued", "sent", "refused", "dropped"):
            writes.add(OutboxMessage(kind="invitation", status=status))
    assert purged_after(29 * DAY) == {}
    assert purged_after(31 * DAY) == {"outbox": 3}
    assert db.session.scalars(select(OutboxMessage.status)).all() == ["queued"]


def test_l3_the_audit_trail_is_kept_by_policy(app: Flask) -> None:
    events.record("sign_in")
    events.record("sign_in")
    kept = settings.current().audit_retention
    assert purged_after(kept - DAY) == {}
    assert purged_after(kept + DAY) == {"audit_events": 1}
    assert count(AuditEvent) == 1, "the newest stays: the history goes on from it (rule R9)"


def test_it_goes_in_batches_until_all_is_gone(app: Flask) -> None:
    fill(25)
    with time_machine.travel(clock.now() + 10 * DAY):
        assert purge.run(batch=10, pause=0)["used_assertions"] == 25


def test_two_purges_share_the_work(app: Flask) -> None:
    fill(60)
    with time_machine.travel(clock.now() + 10 * DAY):
        totals = side_by_side(app, [lambda: purge.run(batch=5)["used_assertions"]] * 2)
    assert (sum(totals), count(UsedAssertion)) == (60, 0)


def test_r8_traffic_goes_on_beside_a_purge(app: Flask) -> None:
    fill(200)

    def traffic() -> int:
        for number in range(20):
            with transaction() as writes:
                writes.add(assertion(f"new{number}", clock.now() + 99 * DAY))
        return 0

    with time_machine.travel(clock.now() + 10 * DAY):
        totals = side_by_side(app, [lambda: purge.run(batch=10)["used_assertions"], traffic])

    assert (sum(totals), count(UsedAssertion)) == (200, 20)


def living(rows: int, *, dead: int) -> None:
    """Grants that a refresh token keeps, and as many as ``dead`` on which nothing hangs."""
    parent, client = factories.account(password=None, status="active"), a_client()
    session, _ = sessions.begin(parent.id, amr=("pwd",), acr="1")
    now = clock.now()
    common = {"account_id": parent.id, "client_id": client, "session_id": session.id}
    common |= {"scope": "openid", "auth_time": now, "amr": "pwd", "acr": "1"}
    with transaction() as writes:
        grants = [
            Grant(**common, created_at=now - number * timedelta(seconds=1))
            for number in range(rows + dead)
        ]
        writes.add_all(grants)
        writes.flush()
        writes.add_all(
            RefreshToken(
                token_hash=hashed(grant.id),
                grant_id=grant.id,
                expires_at=now + 30 * DAY,
                scope="openid",
            )
            for grant in grants[:rows]
        )


def a_client() -> str:
    return str(factories.client_app(factories.school()).client.id)


def steps_of_a_purge(batch: int) -> int:
    """How many instructions of its machine SQLite runs for a purge: time without a clock."""
    steps = [0]

    def count_them() -> int:
        steps[0] += 1
        return 0

    def watch(connection: Any, *_rest: Any) -> None:
        connection.set_progress_handler(count_them, 100)

    db.session.remove()
    event.listen(db.engine, "checkout", watch)
    try:
        with time_machine.travel(clock.now() + 2 * DAY, tick=False):
            purge.run(batch=batch, pause=0)
    finally:
        event.remove(db.engine, "checkout", watch)
        db.session.remove()
        db.engine.dispose()
    return steps[0]


@pytest.mark.long
@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_r8_twice_the_rows_are_twice_the_work(app: Flask) -> None:
    living(1000, dead=500)
    once = steps_of_a_purge(batch=50)
    assert count(Grant) == 1000
    looks_at_everything_again()
    living(1000, dead=1500)
    twice = steps_of_a_purge(batch=50)
    assert count(Grant) == 2000
    assert twice < 3 * once, "a purge that begins again at each batch would need five times as much"


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
def test_a_batch_is_one_value_to_postgresql(app: Flask) -> None:
    """Written out as hundreds of values, it takes longer than what is done with it."""
    living(0, dead=300)
    values: list[int] = []

    def note(_connection: Any, _cursor: Any, _statement: str, sent: Any, *_rest: Any) -> None:
        values.append(len(sent))

    event.listen(db.engine, "before_cursor_execute", note)
    try:
        assert purged_after(2 * DAY)["grants"] == 300
    finally:
        event.remove(db.engine, "before_cursor_execute", note)
    assert max(values) < 20


def looks_at_everything_again() -> None:
    with transaction() as writes:
        writes.execute(delete(InstallationMark))


@pytest.mark.long
@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_r8_what_was_passed_by_is_not_looked_at_each_day(app: Flask) -> None:
    living(2000, dead=0)
    first = steps_of_a_purge(batch=50)
    assert steps_of_a_purge(batch=50) < first / 4
    assert count(Grant) == 2000


def test_r8_what_hung_on_a_token_leaves_with_it(grant: Grant) -> None:
    """Though the walk has passed it by: the refresh token kept it then."""
    assert "grants" not in purged_after(26 * DAY)
    removed = purged_after(32 * DAY)
    assert removed == {"refresh_tokens": 1, "grants": 1, "browser_sessions": 1}


def test_r8_what_was_held_is_found_within_a_week(grant: Grant) -> None:
    purged_after(26 * DAY)
    with transaction() as writes:
        writes.execute(delete(RefreshToken))  # as if somebody else had done so
    assert "grants" not in purged_after(30 * DAY)
    assert purged_after(33 * DAY)["grants"] == 1


@pytest.mark.long
@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
def test_r8_no_batch_reads_the_whole_table(app: Flask) -> None:
    living(3000, dead=0)
    statements: list[tuple[str, Any]] = []

    def note(_connection: Any, _cursor: Any, statement: str, parameters: Any, *_rest: Any) -> None:
        if "FROM grants" in statement or "FROM browser_sessions" in statement:
            statements.append((statement, parameters))

    event.listen(db.engine, "before_cursor_execute", note)
    with time_machine.travel(clock.now() + 2 * DAY, tick=False):
        purge.run(batch=100, pause=0)
    event.remove(db.engine, "before_cursor_execute", note)
    with db.engine.connect() as now:
        now.exec_driver_sql("ANALYZE")
        for statement, parameters in statements[2:62:10]:
            plan = now.exec_driver_sql(f"EXPLAIN {statement}", parameters).scalars()
            assert "Seq Scan on grants" not in "\n".join(plan)
    assert len(statements) < 2 * (3000 / 100) + 6


def fill(rows: int) -> None:
    with transaction() as writes:
        writes.add_all(assertion(str(number), clock.now()) for number in range(rows))


def assertion(name: str, expires_at: datetime) -> UsedAssertion:
    return UsedAssertion(jti_hash=hashed(name), client_id="app", expires_at=expires_at)


def side_by_side(app: Flask, works: list[Any]) -> list[int]:
    """Run each in a thread and application context of its own; their results."""
    results: list[int] = []

    def run(work: Any) -> None:
        with app.app_context():
            try:
                results.append(work())
            finally:
                db.session.remove()

    threads = [threading.Thread(target=run, args=(work,)) for work in works]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(results) == len(works)
    return results


def test_a_change_of_address_leaves_with_its_links_when_nobody_can_undo_it(
    parent: Account,
) -> None:
    with transaction():
        waiting = email_changes.begin_change(
            parent.id, "old@x.example", "new@x.example", proved=True
        )
        email_changes.mint_link(waiting, "confirm", "m_1")
    assert "email_changes" not in purged_after(DAY)
    assert purged_after(2 * DAY + HOUR)["email_changes"] == 1
    assert count(EmailChangeLink) == 0


def test_a_confirmed_change_stays_while_it_can_be_undone(parent: Account) -> None:
    with transaction():
        change = email_changes.begin_change(
            parent.id, "old@x.example", "new@x.example", proved=True
        )
        email_changes.confirm(change)
    assert "email_changes" not in purged_after(7 * DAY)
    assert purged_after(8 * DAY + HOUR)["email_changes"] == 1


def test_an_answered_request_to_be_erased_stays_as_long_as_the_audit_trail(
    parent: Account,
) -> None:
    retention = settings.current().audit_retention
    erasure.request_erasure(parent.id)
    assert "erasure_requests" not in purged_after(2 * retention)
    erasure.close(parent.id, "done")
    assert "erasure_requests" not in purged_after(retention - HOUR)
    assert purged_after(retention + HOUR)["erasure_requests"] == 1
