"""What works once: kept at once for everybody, without waiting for the disk."""

from collections.abc import Callable, Iterator
from contextlib import suppress
from itertools import count

import pytest
from flask import Flask
from sqlalchemy import text

from idp import clock
from idp.clients import used
from idp.database import db, transaction
from tests import factories
from tests.relying_party import RelyingParty

ON_POSTGRESQL = pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
_numbers = count()


def first_use(jti: str) -> bool:
    return used.first_use("dpop", "owner", jti, "client", clock.now().timestamp() + 60)


@pytest.fixture
def durable(app: Flask) -> Iterator[None]:
    """A database that waits for the disk, as those in use do; the tests' cluster does not."""
    name = db.engine.url.database
    with db.engine.connect() as connection:
        connection.execute(text(f"ALTER DATABASE {name} SET synchronous_commit = on"))
    db.engine.dispose()
    yield
    with db.engine.connect() as connection:
        connection.execute(text(f"ALTER DATABASE {name} RESET synchronous_commit"))


def reached_the_disk() -> bool:
    """Whether all that was written has left the server's memory."""
    asked = "SELECT pg_current_wal_flush_lsn() >= pg_current_wal_insert_lsn()"
    with db.engine.connect() as connection:
        return bool(connection.scalar(text(asked)))


def waits(keep: Callable[[], object]) -> bool:
    """Whether ``keep`` returns only when it has reached the disk. The server writes by itself, too,
    five times a second: whoever waits never returns before.
    """
    reached = []
    for _ in range(5):
        keep()
        reached.append(reached_the_disk())
    return all(reached)


def kept_alone() -> None:
    assert first_use(f"alone {next(_numbers)}")


def kept_with_others() -> None:
    with transaction():
        assert first_use(f"with others {next(_numbers)}")


@ON_POSTGRESQL
@pytest.mark.usefixtures("durable")
def test_what_is_kept_alone_does_not_wait_for_the_disk_and_what_comes_with_others_does() -> None:
    assert not waits(kept_alone)
    assert waits(kept_with_others)


@ON_POSTGRESQL
@pytest.mark.usefixtures("durable")
def test_a_pushed_request_does_not_wait_and_what_follows_on_its_connection_does(app: Flask) -> None:
    portal = RelyingParty.of(factories.school())
    server = app.test_client()

    assert not waits(lambda: portal.post(server, "/oauth2/par", portal.request()))
    with db.engine.connect() as connection:
        assert connection.scalar(text("SHOW synchronous_commit")) == "on"


def test_it_works_once_and_a_transaction_that_fails_leaves_it_unused(app: Flask) -> None:
    assert first_use("one")
    assert not first_use("one")
    with suppress(ZeroDivisionError), transaction():
        assert first_use("two")
        raise ZeroDivisionError
    assert first_use("two")
