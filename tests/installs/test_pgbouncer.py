"""PgBouncer in transaction mode: what only it shows. The rest goes through it with ``POOLED=1``."""

from collections.abc import Iterator
from pathlib import Path
from time import monotonic

import psycopg
import pytest
from flask import Flask
from sqlalchemy import func, select
from sqlalchemy.exc import SQLAlchemyError

from idp.audit import continuity, events
from idp.audit.models import AuditEvent
from idp.database import db
from idp.doctor import running
from tests import databases, pooler, postgres
from tests.parallel import at_once
from tests.relying_party import world
from tests.security.outages import databases_app, eventually


@pytest.fixture
def behind() -> Iterator[str]:
    """A migrated database's address, through the pooler."""
    with databases.fresh("postgresql") as url:
        base, name = url.rsplit("/", 1)
        yield f"{pooler.before(base)}/{name}"


def told() -> list[str]:
    return [finding.sentence for finding in running._pooler_is_known()]


def test_families_share_fewer_connections_than_they_are(behind: str, keys_folder: Path) -> None:
    with databases_app(behind, keys_folder, database_pooled=True) as app:
        there = world(app.test_client(), "Lina")
        token = there.redeem(scope="openid offline_access")["refresh_token"]

        def act() -> int:
            return there.portal.refresh(app.test_client(), token).status_code

        results, errors = at_once(app, 20, act)
        assert (set(results), errors) == ({200}, [])
        with psycopg.connect(behind, prepare_threshold=None) as now:
            row = now.execute(
                "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
                " AND backend_type = 'client backend'"
            ).fetchone()
        assert row is not None
        assert row[0] <= 3


def test_an_operator_is_told_of_a_pooler_that_the_settings_do_not_know(
    behind: str, keys_folder: Path, app: Flask
) -> None:
    assert told() == []
    with databases_app(behind, keys_folder, database_pooled=False):
        (sentence,) = told()
        assert "A pooler stands before PostgreSQL" in sentence


def test_an_operator_is_told_where_postgresql_compiles_what_we_ask(
    behind: str, keys_folder: Path
) -> None:
    with databases_app(behind, keys_folder, database_pooled=True):
        (sentence,) = told()
        assert "jit" in sentence
        with db.engine.connect() as now:
            now.exec_driver_sql("ALTER ROLE postgres SET jit = off")
        try:
            # It counts for connections that begin from then on: these end
            db.engine.dispose()
            databases._administer(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                f" WHERE datname = '{behind.rsplit('/', 1)[1]}'"
            )
            assert told() == []
        finally:
            databases._administer("ALTER ROLE postgres RESET jit")


def test_r9_an_older_database_that_is_put_back_is_served_for_half_a_second_at_most(
    behind: str, keys_folder: Path
) -> None:
    """PgBouncer changes it behind connections that stay open, of which nobody is told."""
    base, name = databases.postgresql_cluster(), behind.rsplit("/", 1)[1]
    ended = f"SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = '{name}'"
    closed = (f"ALTER DATABASE {name} ALLOW_CONNECTIONS false", ended)
    opened = f"ALTER DATABASE {name} ALLOW_CONNECTIONS true"

    def administer(*statements: str) -> None:
        for each in statements:
            postgres.administer(base, each)

    def newest() -> int | None:
        try:
            return db.session.scalar(select(func.max(AuditEvent.id)))
        except SQLAlchemyError:
            return None  # its server has just been ended
        finally:
            db.session.remove()

    served: list[float] = []

    def refused() -> bool:
        if not continuity.goes_on():
            return True
        if newest() == of_the_older:
            served.append(monotonic())
        return False

    with databases_app(behind, keys_folder, database_pooled=True):
        events.record("sign_in", account_id="a_1")
        of_the_older = newest()
        administer(*closed, f"CREATE DATABASE older TEMPLATE {name}", opened)
        assert eventually(lambda: newest() == of_the_older)
        events.record("session_ended", account_id="a_1")
        assert continuity.goes_on()
        try:
            administer(*closed, f"ALTER DATABASE {name} RENAME TO newer")
            administer(f"ALTER DATABASE older RENAME TO {name}")
            assert eventually(refused, 20)
            assert not served or served[-1] - served[0] < 2 * continuity.LOOK_POOLED
        finally:
            administer(ended, f"DROP DATABASE {name} WITH (FORCE)")
            administer(f"ALTER DATABASE newer RENAME TO {name}", opened)
