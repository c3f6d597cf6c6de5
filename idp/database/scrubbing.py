"""Takes from SQLite's file what was deleted: it would stay there until its place is needed.

PostgreSQL's dumps hold live rows alone, and its autovacuum frees the rest.
"""

from idp.database import db, release_connection


def scrub() -> None:
    """Write the file anew, without what was deleted from it, and empty the journal beside it.

    As long as that takes (a second for each 200 MB or so), others read, and wait to write.
    """
    release_connection()
    if db.engine.dialect.name != "sqlite":
        return
    connection = db.engine.raw_connection()  # VACUUM stands in no transaction
    try:
        cursor = connection.cursor()
        cursor.execute("VACUUM")
        cursor.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        cursor.close()
    finally:
        connection.close()
