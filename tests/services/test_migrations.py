"""The schema: upgrade and downgrade, and models that say the same as the migrations."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from alembic import command
from alembic.script import ScriptDirectory
from flask import Flask
from sqlalchemy import event, func, inspect, select, text
from sqlalchemy.exc import DBAPIError

from idp import readiness
from idp.audit import events
from idp.audit.models import AuditEvent
from idp.database import db, migrations, transaction
from idp.lifecycle import endings
from idp.mail import outbox
from idp.mail.models import OutboxMessage
from idp.people.models import Account
from idp.readiness import revisions
from idp.resources import folder
from tests import databases, factories


def test_the_models_and_the_migrations_do_not_differ(app: Flask) -> None:
    command.check(migrations.configuration())  # raises where autogenerate finds something


@pytest.mark.long
def test_every_migration_can_be_taken_back_and_made_again(app: Flask, database_url: str) -> None:
    command.downgrade(migrations.configuration(), "base")
    db.session.remove()
    assert set(inspect(db.engine).get_table_names()) <= {"alembic_version"}

    databases.migrate(database_url)

    assert "accounts" in inspect(db.engine).get_table_names()


@pytest.mark.long
def test_each_migration_goes_one_step_down_and_up(app: Flask) -> None:
    command.downgrade(migrations.configuration(), "-1")
    command.upgrade(migrations.configuration(), "head")
    command.check(migrations.configuration())


def test_l3_the_database_refuses_to_change_the_audit_trail(app: Flask) -> None:
    events.record("sign_in", account_id="a_1")

    with pytest.raises(DBAPIError, match="append-only"), transaction() as session:
        session.execute(text("UPDATE audit_events SET account_id = 'a_2'"))


def test_every_foreign_key_has_an_index(app: Flask) -> None:
    found = inspect(db.engine)
    for table in sorted(db.metadata.tables):
        leading = {index["column_names"][0] for index in found.get_indexes(table)}
        leading |= {each["column_names"][0] for each in found.get_unique_constraints(table)}
        leading.add(found.get_pk_constraint(table)["constrained_columns"][0])
        keys = {key["constrained_columns"][0] for key in found.get_foreign_keys(table)}
        assert keys <= leading, f"{table}: {keys - leading}"


def test_r12_a_newer_schema_is_served_and_an_older_one_is_not(app: Flask) -> None:
    with transaction() as session:
        session.execute(text("UPDATE alembic_version SET version_num = 'of-a-later-version'"))
    assert readiness.schema().serves
    assert app.test_client().get("/health/ready").status_code == 200

    command.stamp(migrations.configuration(), "0001", purge=True)

    assert not readiness.schema().serves
    assert app.test_client().get("/health/ready").status_code == 503


def test_what_is_known_of_accounts_and_mails_fills_the_columns_for_it(app: Flask) -> None:
    with_password, closed, invited = (
        factories.account(name, status=status)
        for name, status in (("claire", "active"), ("paul", "active"), ("anne", "invited"))
    )
    endings.close_accounts([closed.id])
    events.record("sign_in", account_id=with_password.id)
    events.record("sign_in", account_id=with_password.id)
    outbox.refused(outbox.enqueue("invitation", account_id=invited.id), "552 5.2.2 over quota")
    signed_in = AuditEvent.event == "sign_in"
    newest = db.session.scalar(select(func.max(AuditEvent.at)).where(signed_in))
    db.session.remove()

    command.downgrade(migrations.configuration(), "0021")
    command.upgrade(migrations.configuration(), "head")

    after = {account.username: account for account in db.session.scalars(select(Account))}
    assert after["claire"].last_sign_in_at == newest
    assert after["claire"].claimed_at == after["claire"].created_at
    assert after["paul"].claimed_at is not None  # its password tells
    assert (after["anne"].claimed_at, after["anne"].last_sign_in_at) == (None, None)
    assert db.session.scalar(select(OutboxMessage.meaning)) == "mailbox_full"


@contextmanager
def cut_short_at(words: str) -> Iterator[None]:
    """The first statement that begins like this is never sent: the connection is lost there."""

    def lose(_now: object, _cursor: object, statement: str, *_rest: object) -> None:
        if statement.startswith(words):
            raise RuntimeError("the machine is switched off")

    event.listen(db.engine, "before_cursor_execute", lose)
    try:
        with pytest.raises(RuntimeError, match="switched off"):
            yield
    finally:
        event.remove(db.engine, "before_cursor_execute", lose)


def test_what_was_filled_half_way_is_filled_whole_by_the_next_run(app: Flask) -> None:
    """Revision 0023 commits batch by batch, and was cut short between accounts and mails."""
    invited = factories.account("anne", status="invited")
    outbox.refused(outbox.enqueue("invitation", account_id=invited.id), "552 5.2.2 over quota")
    password = factories.account("claire", status="active")
    created = password.created_at
    db.session.remove()
    command.downgrade(migrations.configuration(), "0021")

    with cut_short_at("UPDATE outbox SET meaning"):
        command.upgrade(migrations.configuration(), "head")
    with db.engine.connect() as now:
        assert now.scalar(text("SELECT version_num FROM alembic_version")) == "0022"
        filled = text("SELECT count(*) FROM accounts WHERE claimed_at IS NOT NULL")
        assert now.scalar(filled) == 1, "committed before the cut"
    command.upgrade(migrations.configuration(), "head")

    claimed = {each.username: each.claimed_at for each in db.session.scalars(select(Account))}
    assert claimed == {"anne": None, "claire": created}
    assert db.session.scalar(select(OutboxMessage.meaning)) == "mailbox_full"


def test_the_schemas_that_workers_know_are_alembics() -> None:
    script = ScriptDirectory(str(folder("idp.migrations")))

    assert revisions.known() == {each.revision for each in script.walk_revisions()}
    assert revisions.newest() == script.get_current_head()
