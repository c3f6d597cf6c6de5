"""What the rows must say after a fault: nothing that was answered is lost, nothing is half done."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError

from idp import readiness
from idp.database import db, keyed_hash
from idp.database.hashes import all_of
from idp.readiness import invariants
from tests.faults.door import NAME
from tests.faults.visits import Done
from tests.security.outages import databases_app

Secrets = Mapping[str, list[bytes]]
"""Those of the machines that are not the tests' own, as lists."""

OF_A_FAULT = {
    "a grant without a code": """
        SELECT count(*) FROM grants g
        WHERE NOT EXISTS (SELECT 1 FROM authorization_codes c WHERE c.grant_id = g.id)
        AND NOT EXISTS (SELECT 1 FROM device_codes d WHERE d.grant_id = g.id)""",
    "tokens of a code that nobody has redeemed": """
        SELECT count(*) FROM authorization_codes c WHERE c.redeemed_at IS NULL
        AND EXISTS (SELECT 1 FROM access_tokens t WHERE t.grant_id = c.grant_id)""",
    "a refresh token without a successor": """
        SELECT count(*) FROM (SELECT grant_id FROM refresh_tokens
        GROUP BY grant_id HAVING count(*) = count(rotated_at)) x""",
    "a grant that ended, as if a token had been stolen": """
        SELECT count(*) FROM grants WHERE ended_at IS NOT NULL""",
    "a session whose sign-in is not on record": """
        SELECT count(*) FROM browser_sessions s WHERE s.amr = 'pwd' AND (
        SELECT count(*) FROM audit_events e WHERE e.account_id = s.account_id
        AND e.event = 'sign_in' AND e.result = 'ok') < (
        SELECT count(*) FROM browser_sessions o WHERE o.account_id = s.account_id
        AND o.amr = 'pwd')""",
}
"""What must not be there where nobody signs out, ends or purges anything, and how it is counted.

What must be so always is the product's (``idp.readiness.invariants``), and asked beside these. Two
are the other half of one of those: « successor » says that there is no more than one, and
« redeemed » that what was redeemed has given something.
"""

_KEPT = (
    ("sessions", "session", "secret_hash FROM browser_sessions WHERE ended_at IS NULL"),
    ("codes", "code", "code_hash FROM authorization_codes WHERE redeemed_at IS NOT NULL"),
    ("access", "access token", "token_hash FROM access_tokens WHERE revoked_at IS NULL"),
    ("refresh", "refresh token", "token_hash FROM refresh_tokens WHERE revoked_at IS NULL"),
)

_OURS = """
    SELECT c.relkind::text, c.oid::regclass::text FROM pg_class c
    LEFT JOIN pg_index i ON i.indexrelid = c.oid AND i.indisvalid
    LEFT JOIN pg_am m ON m.oid = c.relam
    WHERE c.relnamespace = 'public'::regnamespace
    AND (c.relkind = 'r' OR c.relkind = 'i' AND i.indisvalid AND m.amname = 'btree')"""
_LOOKS = {
    "r": "SELECT count(*) FROM verify_heapam(CAST(:name AS regclass))",
    "i": "SELECT 0 FROM (SELECT bt_index_check(CAST(:name AS regclass), true)) whole",
}


def some(found: Mapping[str, int]) -> dict[str, int]:
    """What there is any of."""
    return {name: count for name, count in found.items() if count}


def violated(now: Connection) -> dict[str, int]:
    """What contradicts what must always be so, or be so here: how many rows."""
    found = {name: now.scalar(text(query)) or 0 for name, query in OF_A_FAULT.items()}
    return contradicted() | found | damaged(now)


def damaged(now: Connection) -> dict[str, int]:
    """What PostgreSQL finds wrong with the pages of our tables and indexes themselves."""
    if now.dialect.name != "postgresql":
        return {}
    now.execute(text("CREATE EXTENSION IF NOT EXISTS amcheck"))
    found = {}
    for kind, name in now.execute(text(_OURS)).all():
        try:
            found[f"{name} is damaged"] = now.scalar(text(_LOOKS[kind]), {"name": name}) or 0
        except DBAPIError as error:
            found[f"{name} is damaged: {error.orig}"] = 1
    return found


def contradicted() -> dict[str, int]:
    """What contradicts what must always be so."""
    found = {each.name: each.count for each in invariants.contradictions()}
    if readiness.schema().up_to_date:  # a former release has not all of the tables
        found |= {each.sentence: each.count for each in invariants.orphans()}
    return found | dict.fromkeys(invariants.changes_of_events(), 1)


def lost(now: Connection, done: Done) -> dict[str, int]:
    """How much of what was answered as done is not in the database."""
    return {
        name: _missing(
            {keyed_hash(purpose, secret) for secret in getattr(done, name)},
            set(now.scalars(text(f"SELECT {which}"))),
        )
        for name, purpose, which in _KEPT
    }


def _missing(wanted: set[str], there: set[str]) -> int:
    return sum(there.isdisjoint(all_of(each)) for each in wanted)


@contextmanager
def reading(url: str, keys_folder: Path, secrets: Secrets) -> Iterator[Connection]:
    """A connection of an application that hashes as the machines do."""
    app = databases_app(url, keys_folder, issuer=f"https://{NAME}", **secrets)
    with app, db.engine.connect() as now:
        yield now
