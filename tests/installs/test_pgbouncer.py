"""PgBouncer in transaction mode: what only it shows. The rest goes through it with ``POOLED=1``."""

from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from flask import Flask

from idp.database import db
from idp.doctor import running
from tests import databases, pooler
from tests.parallel import at_once
from tests.relying_party import world
from tests.security.outages import databases_app


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
