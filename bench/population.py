"""A grown platform in PostgreSQL: families, and a month of what they did, in realistic shares.

Made by the database itself (``generate_series``), but for the directory, which is made as
`idp directory rebuild` makes it. Called within an application context.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from time import monotonic
from typing import Any, Final

import psycopg

from bench.district import CLASSES, FAMILY, GIVEN_NAMES, PARTICLES
from idp.people import search_index

CHILDREN_AT_A_SCHOOL: Final = 300


@dataclass(frozen=True)
class Grown:
    """How much of everything there is; ``accounts`` guardians have three children for five."""

    accounts: int

    @property
    def children(self) -> int:
        """Pupils."""
        return max(self.accounts * 3 // 5, 1)

    @property
    def schools(self) -> int:
        """Schools."""
        return -(-self.children // CHILDREN_AT_A_SCHOOL)


def _array(words: tuple[str, ...]) -> str:
    return "ARRAY[" + ",".join("'" + each.replace("'", "''") + "'" for each in words) + "]"


_NAMES = f"""
CREATE FUNCTION pg_temp.given(n bigint) RETURNS text LANGUAGE sql IMMUTABLE AS $$
  SELECT ({_array(GIVEN_NAMES)})[1 + n * 7 % {len(GIVEN_NAMES)}] $$;
CREATE FUNCTION pg_temp.family(n bigint) RETURNS text LANGUAGE sql IMMUTABLE AS $$
  SELECT ({_array(PARTICLES)})[1 + n / 11 % {len(PARTICLES)}]
    || ({_array(FAMILY)})[1 + n * 13 % {len(FAMILY)}]
    || CASE WHEN n % 3 = 0 THEN ''
       ELSE '-' || ({_array(FAMILY)})[1 + n / 36 % {len(FAMILY)}] END $$;
CREATE FUNCTION pg_temp.class(n bigint) RETURNS text LANGUAGE sql IMMUTABLE AS $$
  SELECT ({_array(CLASSES)})[1 + n % 12] $$;
CREATE FUNCTION pg_temp.secret(n text) RETURNS text LANGUAGE sql IMMUTABLE AS $$
  SELECT left(md5(n) || md5(n || '.'), 43) $$;
CREATE FUNCTION pg_temp.child(n bigint, nth int) RETURNS bigint LANGUAGE sql IMMUTABLE AS $$
  SELECT 1 + (n * 3 / 5 + nth) % {{children}} $$;
"""

_ROWS: Final = {
    "schools": """
INSERT INTO schools (id, name, colour, contact_name, contact_email, contact_phone, locale,
    languages, hidden_providers, version, created_at)
  SELECT 's_' || n, 'School ' || n, '#1d4f91', '', '', '', 'fr', 'fr nl de en', '', 1, now()
  FROM generate_series(0, {schools} - 1) n""",
    "accounts": """
INSERT INTO accounts (id, subject_id, username, username_key, email, email_key, given_name,
    family_name, locale, status, claimed_at, first_sign_in_at, last_sign_in_at, created_at,
    updated_at, credentials_epoch)
  SELECT 'a_' || n, 'g_' || n, 'parent' || n, 'parent' || n, 'p' || n || '@a.example',
    'p' || n || '@a.example', pg_temp.given(n), pg_temp.family(pg_temp.child(n, 0)), 'fr',
    CASE WHEN n % 5 = 0 THEN 'invited' ELSE 'active' END,
    CASE WHEN n % 5 > 0 THEN now() - interval '90 days' END,
    CASE WHEN n % 5 > 0 THEN now() - interval '90 days' END,
    CASE WHEN n % 5 > 0 THEN now() - n % 30 * interval '1 day' END,
    now() - interval '100 days', now() - interval '90 days', 0
  FROM generate_series(1, {accounts}) n""",
    "children": """
INSERT INTO children (id, school_id, subject_id, given_name, family_name, class_name, sourced_id,
    created_at)
  SELECT 'p_' || n, 's_' || (n - 1) / {at_a_school}, 'k_' || n, pg_temp.given(n + 3),
    pg_temp.family(n), pg_temp.class(n), 'x' || n, now() - interval '100 days'
  FROM generate_series(1, {children}) n""",
    "guardianships": """
INSERT INTO guardianships (id, account_id, child_id, relationship, created_at)
  SELECT 'w_' || n, 'a_' || n, 'p_' || pg_temp.child(n, 0), 'guardian', now() - interval '99 days'
    FROM generate_series(1, {accounts}) n
  UNION ALL
  SELECT 'w_' || n || '_2', 'a_' || n, 'p_' || pg_temp.child(n, 1), 'guardian',
    now() - interval '99 days'
    FROM generate_series(3, {accounts}, 3) n WHERE {children} > 1""",
    "passwords": """
INSERT INTO passwords (account_id, hash, set_at)
  SELECT 'a_' || n, %(password)s, now() - interval '90 days'
  FROM generate_series(1, {accounts}) n WHERE n % 5 > 0""",
    "browser_sessions": """
INSERT INTO browser_sessions (id, secret_hash, account_id, device, auth_time, auth_time_proved, amr,
    acr, last_seen_at, created_at, expires_at)
  SELECT 'b_' || n, pg_temp.secret('b' || n), 'a_' || 1 + n % {accounts}, 'Firefox, Android', at,
    true, 'pwd', 'urn:school-idp:acr:single-factor', at, at, at + interval '1 day'
  FROM (SELECT n, now() - n % 720 * interval '1 hour' AS at
    FROM generate_series(1, {accounts} * 2) n) each""",
    "grants": """
INSERT INTO grants (id, account_id, client_id, session_id, child_id, child_selection,
    child_switchable, scope, auth_time, auth_time_proved, amr, acr, created_at, ended_at)
  SELECT 'r_' || n, 'a_' || 1 + n % {accounts}, '{client}', 'b_' || 1 + n % ({accounts} * 2),
    'p_' || pg_temp.child(1 + n % {accounts}, 0), 'only', false, 'openid child', at, true, 'pwd',
    'urn:school-idp:acr:single-factor', at, CASE WHEN n % 3 = 0 THEN at + interval '1 hour' END
  FROM (SELECT n, now() - n % 720 * interval '1 hour' AS at
    FROM generate_series(1, {accounts} * 2) n) each""",
    "access_tokens": """
INSERT INTO access_tokens (grant_id, token_hash, scope, issued_at, expires_at)
  SELECT 'r_' || n, pg_temp.secret('t' || n), 'openid child', at, at + interval '10 minutes'
  FROM (SELECT n, now() - n % 720 * interval '1 hour' AS at
    FROM generate_series(1, {accounts} * 2) n) each""",
    "refresh_tokens": """
INSERT INTO refresh_tokens (grant_id, token_hash, scope, issued_at, expires_at, rotated_at)
  SELECT 'r_' || n, pg_temp.secret('f' || n), 'openid child', at, at + interval '30 days', NULL
  FROM (SELECT n, now() - n % 720 * interval '1 hour' AS at
    FROM generate_series(1, {accounts} * 2) n) each WHERE n % 2 = 0""",
    "audit_events": """
INSERT INTO audit_events (at, event, result, actor, account_id, child_id, client_id, session_id,
    school_id, detail)
  SELECT now() - (30.0 - 30.0 * n / ({accounts} * 8)) * interval '1 day', each.event, 'ok',
    'a_' || 1 + n % {accounts}, 'a_' || 1 + n % {accounts},
    CASE WHEN each.event = 'grant_made' THEN 'p_' || pg_temp.child(1 + n % {accounts}, 0) END,
    CASE WHEN each.event = 'grant_made' THEN '{client}' END, 'b_' || n % ({accounts} * 2),
    CASE WHEN n % 40 = 0
      THEN 's_' || (pg_temp.child(1 + n % {accounts}, 0) - 1) / {at_a_school} END, '{{}}'
  FROM (SELECT n, (ARRAY['sign_in', 'grant_made', 'child_chosen', 'session_ended', 'grant_made',
    'mail_sent', 'sign_in', 'token_revoked'])[1 + n / {accounts} % 8] AS event
    FROM generate_series(1, {accounts} * 8) n) each""",
    "outbox": """
INSERT INTO outbox (id, kind, about, account_id, recipient_hash, status, attempts, created_at,
    due_at, finished_at)
  SELECT 'm_' || n, 'invitation', '{{}}', 'a_' || n, pg_temp.secret('m' || n),
    CASE WHEN n % 97 = 0 THEN 'refused' ELSE 'sent' END, 1, at, at, at
  FROM (SELECT n, now() - n % 720 * interval '1 hour' AS at
    FROM generate_series(1, {accounts}) n) each""",
    "one_time_tokens": """
INSERT INTO one_time_tokens (id, account_id, purpose, token_hash, outbox_id, created_at, expires_at)
  SELECT 'o_' || n, 'a_' || n, 'first_sign_in', pg_temp.secret('o' || n), 'm_' || n,
    now() - n % 14 * interval '1 day', now() + (14 - n % 14) * interval '1 day'
  FROM generate_series(5, {accounts}, 5) n""",
    "known_devices": """
INSERT INTO known_devices (device_hash, account_id, last_seen_at)
  SELECT pg_temp.secret('d' || n), 'a_' || n, now() FROM generate_series(1, {accounts}) n""",
}
_CLIENT_SCHOOLS: Final = """
INSERT INTO client_schools (client_id, school_id)
  SELECT '{client}', 's_' || n FROM generate_series(0, {schools} - 1) n
  ON CONFLICT DO NOTHING"""
_INDEXES: Final = """
SELECT c.relname, pg_get_indexdef(c.oid) FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid
WHERE i.indrelid = %s::regclass AND NOT i.indisunique"""


def fill(url: str, grown: Grown, client_id: str, password_hash: str) -> Iterator[str]:
    """Fill a migrated database that holds this application; yields a line for each table.

    ``password_hash``: the password of everybody, as ``passwords.hash`` keeps it.
    """
    values: dict[str, Any] = {
        "accounts": grown.accounts,
        "children": grown.children,
        "schools": grown.schools,
        "at_a_school": CHILDREN_AT_A_SCHOOL,
        "client": client_id,
    }
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(_NAMES.format(children=grown.children).encode())
        connection.execute("SET synchronous_commit = off")
        connection.execute("SET maintenance_work_mem = '256MB'")
        # Each row fits by its making: nobody has to look whether what it refers to is there
        connection.execute("SET session_replication_role = replica")
        later = [*_without_indexes(connection, _ROWS)]
        for table, statement in _ROWS.items():
            began = monotonic()
            text = statement.replace(" % ", " %% ").format(**values)
            done = connection.execute(text.encode(), {"password": password_hash})
            yield f"{table}: {done.rowcount:,} rows in {monotonic() - began:.1f} s"
        connection.execute("SET session_replication_role = origin")
        connection.execute(_CLIENT_SCHOOLS.format(**values).encode())
        yield _made(connection, later)
        connection.execute("ANALYZE")
        later = [*_without_indexes(connection, ("directory_entries",))]
        began = monotonic()
        rebuilt = search_index.rebuild()
        yield f"directory_entries: {rebuilt.entries:,} rows in {monotonic() - began:.1f} s"
        yield _made(connection, later)
        began = monotonic()
        connection.execute("VACUUM ANALYZE")
        yield f"vacuumed and analysed in {monotonic() - began:.1f} s"


def _without_indexes(connection: Any, tables: Iterable[str]) -> Iterator[str]:
    """Drop what finds their rows but for what is unique; how each is made again."""
    for table in tables:
        for name, words in connection.execute(_INDEXES, (table,)).fetchall():
            connection.execute(f'DROP INDEX "{name}"')
            yield words.replace(" ON ONLY ", " ON ", 1)


def _made(connection: Any, indexes: list[str]) -> str:
    began = monotonic()
    for words in indexes:
        connection.execute(words)
    return f"{len(indexes)} indexes in {monotonic() - began:.1f} s"
