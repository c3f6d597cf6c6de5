"""Statements of the hot paths: the same types, errors and transactions as everywhere else."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import bindparam, event, insert, select, update
from sqlalchemy.exc import DBAPIError, IntegrityError, OperationalError

from idp import clock
from idp.audit import events
from idp.audit.models import AuditEvent
from idp.clients.models import Client, ClientRow, UsedAssertion
from idp.database import db, transaction
from idp.database.atomic_insert import AtomicInsert, Fate, InsertOnce
from idp.database.prepared import Prepared, columns, made_row, only
from idp.people.models import Account, AccountRow, School
from idp.sessions import service as sessions
from idp.sessions.models import BrowserSession, SessionRow
from tests import factories
from tests.parallel import Queries

pytestmark = pytest.mark.long_on("sqlite")


class SchoolRow:
    id: str
    name: str
    created_at: Any


ONE_SCHOOL = Prepared(
    select(*columns(School, SchoolRow), School.locale).where(School.id == bindparam("id_")),
    SchoolRow,
)
STATEMENTS = (
    select(*columns(BrowserSession, SessionRow)).where(
        BrowserSession.id == bindparam("id_"),
        BrowserSession.expires_at > bindparam("now"),
        BrowserSession.auth_time_proved.is_(False) | BrowserSession.ended_at.is_(None),
    ),
    update(BrowserSession)
    .where(BrowserSession.id == bindparam("id_"), BrowserSession.ended_at.is_(None))
    .values(last_seen_at=bindparam("now"), auth_time_proved=bindparam("proved")),
)
ASSERTION = (UsedAssertion.__table__, ("jti_hash", "client_id", "expires_at"))
NOTE = AtomicInsert(ASSERTION, events.ROWS)
RENAMED = update(School).where(School.id == bindparam("id_")).values(name=bindparam("to"))
RENAME = AtomicInsert(ASSERTION, events.ROWS, gate=RENAMED)
NOTE_ONCE = InsertOnce(ASSERTION, events.ROWS, waits=False)
RENAME_ONCE = InsertOnce(ASSERTION, events.ROWS, gate=RENAMED)


def noted(jti: str = "j") -> dict[str, Any]:
    return {
        "used_assertions": {"jti_hash": jti, "client_id": "app", "expires_at": clock.now()},
        "audit_events": events.row("client_refused"),
    }


def a_session() -> BrowserSession:
    account = factories.account("claire")
    return sessions.begin(account.id, amr=("pwd",), acr="urn:example:one")[0]


def only_row(model: Any, kind: Any) -> Any:
    (row,) = Prepared(select(*columns(model, kind)), kind, into=only).all()
    return row


@contextmanager
def sent() -> Iterator[list[tuple[str, Any]]]:
    """What reaches the driver about sessions: each statement's text and parameters."""
    seen: list[tuple[str, Any]] = []

    def note(_connection: Any, _cursor: Any, text: str, parameters: Any, *_: Any) -> None:
        if BrowserSession.__tablename__ in text:  # not what a new connection is told first
            seen.append((text, parameters))

    event.listen(db.engine, "before_cursor_execute", note)
    try:
        yield seen
    finally:
        event.remove(db.engine, "before_cursor_execute", note)


def _in_order(parameters: Any) -> Any:
    return dict(parameters) if isinstance(parameters, Mapping) else list(parameters)


def kept() -> tuple[int, int]:
    db.session.rollback()
    assertions, trail = db.session.query(UsedAssertion), db.session.query(AuditEvent)
    return assertions.count(), trail.filter_by(event="client_refused").count()


class TestPrepared:
    def test_a_row_has_the_values_that_the_entity_has(self, app: Flask) -> None:
        school = factories.school("Schule Zürich 🏫")
        (row, locale) = ONE_SCHOOL.one_or_none(id_=school.id)
        assert row == (school.id, "Schule Zürich 🏫", school.created_at)
        assert row.created_at.tzinfo is not None
        assert locale == "fr"
        assert ONE_SCHOOL.all(id_=school.id) == [(row, locale)]

    def test_where_there_is_none(self, app: Flask) -> None:
        assert ONE_SCHOOL.one_or_none(id_="s_none") is None
        assert ONE_SCHOOL.all(id_="s_none") == []

    def test_it_sees_what_the_session_has_not_yet_written(self, app: Flask) -> None:
        school = factories.school()
        with transaction():
            school.name = "Renamed"
            assert ONE_SCHOOL.one_or_none(id_=school.id)[0].name == "Renamed"

    def test_outside_of_a_transaction_it_sees_what_was_committed(self, app: Flask) -> None:
        school = factories.school()
        db.session.rollback()
        with transaction() as writes:
            writes.execute(update(School).values(name="Renamed"))
        assert ONE_SCHOOL.one_or_none(id_=school.id)[0].name == "Renamed"

    def test_a_forgotten_parameter_is_an_error(self, app: Flask) -> None:
        with pytest.raises((KeyError, DBAPIError)):
            ONE_SCHOOL.one_or_none()

    def test_a_column_that_would_get_a_default_is_an_error(self, app: Flask) -> None:
        statement = Prepared(insert(School.__table__).values(id=bindparam("id_")).inline())
        with pytest.raises(ValueError, match="no value for"):
            statement.execute(id_="s_1")

    def test_l1_an_error_does_not_tell_the_values(self, app: Flask) -> None:
        factories.account("claire")
        taken = Prepared(update(Account).values(username_key=bindparam("key")))
        factories.account("paul")
        with pytest.raises(IntegrityError) as caught, transaction():
            taken.execute(key="s3cret-name")
        assert "s3cret-name" not in str(caught.value).split("[SQL")[1]
        assert "parameters hidden" in str(caught.value) or caught.value.params is None

    def test_r2_a_lost_connection_is_told_once_and_replaced(
        self, app: Flask, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        school = factories.school()
        db.session.remove()
        ONE_SCHOOL.one_or_none(id_=school.id)
        dialect = db.engine.dialect
        gone = dialect.loaded_dbapi.OperationalError("gone")
        monkeypatch.setattr(dialect, "is_disconnect", lambda *_: True)
        with monkeypatch.context() as patch:
            patch.setattr("idp.database.prepared._cursor", lambda _connection: _Gone(gone))
            with pytest.raises(OperationalError) as caught:
                ONE_SCHOOL.one_or_none(id_=school.id)
        assert caught.value.connection_invalidated
        assert ONE_SCHOOL.one_or_none(id_=school.id) is not None


class TestWhatItLeansOn:
    """What SQLAlchemy does the same way by itself: where a release moves it, this fails."""

    @pytest.mark.parametrize("statement", STATEMENTS, ids=lambda each: type(each).__name__)
    def test_text_and_parameters_are_those_of_sqlalchemy(self, app: Flask, statement: Any) -> None:
        session = a_session()
        values = {"id_": session.id, "now": clock.now(), "proved": False}
        given = {name: values[name] for name in statement.compile().params if name in values}

        with sent() as seen:
            Prepared(statement).execute(**given)
            with db.engine.connect() as connection:
                connection.execute(statement, given)
        ours, theirs = seen

        assert ours[0] == theirs[0]
        assert _in_order(ours[1]) == _in_order(theirs[1])

    def test_a_row_of_every_kind_is_what_the_entity_is(self, app: Flask) -> None:
        a_session()
        client = factories.client_app(factories.school()).client
        kinds = {Account: AccountRow, BrowserSession: SessionRow, Client: ClientRow}
        for model, kind in kinds.items():
            row = only_row(model, kind)
            entity = db.session.scalars(select(model)).one()
            assert isinstance(row, kind)
            assert isinstance(entity, kind)
            assert row == tuple(getattr(entity, name) for name in row._fields)
        assert only_row(Client, ClientRow).metadata_ == client.metadata_

    def test_a_row_is_not_written(self, app: Flask) -> None:
        factories.account("claire")
        with pytest.raises(AttributeError):
            only_row(Account, AccountRow).status = "closed"
        with pytest.raises(TypeError):
            made_row(AccountRow, id="a")


class TestAtomicInsert:
    def test_all_rows_come_in(self, app: Flask) -> None:
        assert NOTE.execute(**noted())
        assert kept() == (1, 1)

    def test_r1_where_one_is_refused_none_comes_in(self, app: Flask) -> None:
        assert NOTE.execute(**noted())
        with pytest.raises(DBAPIError):
            NOTE.execute(**noted())
        assert kept() == (1, 1)

    def test_r1_they_share_the_fate_of_the_transaction_around(self, app: Flask) -> None:
        def fail_after() -> None:
            with transaction():
                assert NOTE.execute(**noted())
                raise ZeroDivisionError

        with pytest.raises(ZeroDivisionError):
            fail_after()
        assert kept() == (0, 0)

    def test_the_gate_opens_for_a_change(self, app: Flask) -> None:
        school = factories.school()
        assert RENAME.execute({"id_": school.id, "to": "Renamed"}, **noted())
        assert ONE_SCHOOL.one_or_none(id_=school.id)[0].name == "Renamed"
        assert kept() == (1, 1)

    def test_behind_a_closed_gate_nothing_comes_in(self, app: Flask) -> None:
        assert not RENAME.execute({"id_": "s_none", "to": "Renamed"}, **noted())
        assert kept() == (0, 0)

    def test_postgresql_is_asked_once(self, app: Flask) -> None:
        with Queries() as seen:
            NOTE.execute(**noted())
        assert len(seen) == (1 if db.engine.dialect.name == "postgresql" else 2)


class TestInsertOnce:
    def test_all_rows_come_in_once(self, app: Flask) -> None:
        assert NOTE_ONCE.execute(**noted()) is Fate.IN
        assert NOTE_ONCE.execute(**noted()) is Fate.BEFORE
        assert kept() == (1, 1)
        assert NOTE_ONCE.execute(**noted("k")) is Fate.IN
        assert kept() == (2, 2)

    def test_behind_a_closed_gate_the_first_row_stays_alone(self, app: Flask) -> None:
        assert RENAME_ONCE.execute({"id_": "s_none", "to": "Renamed"}, **noted()) is Fate.GATED
        assert kept() == (1, 0)

    def test_the_gate_stays_closed_where_the_first_row_was_there(self, app: Flask) -> None:
        school = factories.school()
        assert RENAME_ONCE.execute({"id_": school.id, "to": "Renamed"}, **noted()) is Fate.IN
        assert RENAME_ONCE.execute({"id_": school.id, "to": "Again"}, **noted()) is Fate.BEFORE
        assert ONE_SCHOOL.one_or_none(id_=school.id)[0].name == "Renamed"
        assert kept() == (1, 1)

    def test_r1_they_share_the_fate_of_the_transaction_around(self, app: Flask) -> None:
        with suppress(ZeroDivisionError), transaction():
            assert NOTE_ONCE.execute(**noted()) is Fate.IN
            raise ZeroDivisionError
        assert kept() == (0, 0)

    def test_postgresql_is_asked_once(self, app: Flask) -> None:
        with Queries() as seen:
            RENAME_ONCE.execute({"id_": "s_none", "to": "Renamed"}, **noted())
        assert len(seen) == (1 if db.engine.dialect.name == "postgresql" else 2)


class _Gone:
    """A cursor whose connection was cut."""

    def __init__(self, error: Exception) -> None:
        self._error = error

    def execute(self, *_: Any) -> None:
        raise self._error
