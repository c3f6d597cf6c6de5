"""What is asked after each fault sees what is lost or damaged where something is."""

from pathlib import Path

import pytest
from sqlalchemy import Connection, create_engine, insert, text

from idp.mail.models import STATUSES, OutboxMessage
from tests import databases
from tests.faults import letters, rows
from tests.faults.changes import PASSWORDS, whose
from tests.faults.door import NAME
from tests.faults.household import move_in
from tests.smtp import Letter


def test_an_index_that_lacks_a_row_is_seen() -> None:
    with databases.fresh("postgresql") as url:
        engine = create_engine(
            url.replace("postgresql://", "postgresql+psycopg://"), isolation_level="AUTOCOMMIT"
        )
        with engine.connect() as now:
            whole = rows.damaged(now)
            assert len(whole) > 100
            assert not any(whole.values())

            now.execute(text("SET allow_system_table_mods = on"))
            keeps = (
                "UPDATE pg_index SET indisready = :yes WHERE indexrelid = CAST(:index AS regclass)"
            )
            index = "alembic_version_pkc"
            now.execute(text(keeps), {"yes": False, "index": index})
            now.execute(text("INSERT INTO alembic_version VALUES ('unknown')"))
            now.execute(text(keeps), {"yes": True, "index": index})

            (damage,) = [name for name, many in rows.damaged(now).items() if many]
            assert damage.startswith(f"{index} is damaged")
        engine.dispose()


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_a_change_that_was_answered_as_done_and_is_not_there_is_seen(
    kind: str, tmp_path: Path
) -> None:
    with databases.fresh(kind) as url:
        household = move_in(url, tmp_path)
        changes, movers = household.changes, household.movers
        with rows.reading(url, tmp_path, {}) as now:
            with pytest.raises(TimeoutError):
                changes.ask(PASSWORDS, movers.passwords[1], "in doubt", without_an_answer)
            assert rows.some(changes.lost(now, movers)) == {}

            for each, (who, *_) in whose(movers).items():
                changes.ask(each, who, "another@families.example", lambda: None)
            kinds = [f"{each}s" for each in whose(movers)]
            seen = {*kinds, *(f"{each} off the record" for each in kinds)}
            assert rows.some(changes.lost(now, movers)) == dict.fromkeys(seen, 1)


def test_a_mail_that_ended_in_whichever_way_and_never_came_is_seen(tmp_path: Path) -> None:
    with databases.fresh("postgresql") as url, rows.reading(url, tmp_path, {}) as now:
        now.execute(text("ALTER TABLE outbox DROP CONSTRAINT ck_outbox_status"))
        for status in (*STATUSES, "unheard"):  # of a later release
            put(now, f"m_{status}", kind="welcome", status=status, answer="why")
        for name in ("m_changed", "m_changed_again"):
            put(now, name, kind="email_changed", status="dropped", answer="why", account_id="a_1")
        others = {
            f"mails that ended otherwise ({which}, why)": 1
            for which in (
                *("welcome: refused", "welcome: dropped", "welcome: unheard"),
                "email_changed: dropped",  # the last: the one before is said anew
            )
        }
        assert rows.some(letters.lost(now, [])) == {"mails that never came": 1, **others}
        assert rows.some(letters.lost(now, [of_row("m_sent")])) == others


def put(now: Connection, row: str, **values: str) -> None:
    now.execute(insert(OutboxMessage).values(id=row, **values))


def of_row(row: str) -> Letter:
    head = f"Message-ID: <{row}.1.0@{NAME}>\r\n\r\n"
    return Letter("noreply@id.example", ["claire@families.example"], head.encode())


def without_an_answer() -> None:
    raise TimeoutError
