"""What is asked of PostgreSQL after each fault sees damage where there is some."""

from sqlalchemy import create_engine, text

from tests import databases
from tests.faults import rows


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
