"""``python -m bench.upgrade``: upgrade a grown PostgreSQL beside traffic, and bound what it stops.

Fills the schema of an early version by ``generate_series``, runs `idp db upgrade` as an operator
does, and meanwhile does what a sign-in and an act at the desk do to an account. Ends with 1 where
one of them waited longer than ``--bound`` seconds.
"""

import argparse
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from random import Random
from threading import Event, Thread
from time import monotonic, sleep

import psycopg

from bench import databases, provider

FROM = "0011"
"""The last revision before tables were indexed and filled by migrations."""

FILLING = """
INSERT INTO schools (id, name, colour, contact_name, contact_email, contact_phone, locale,
    created_at)
  SELECT 's_' || n, 'School ' || n, '#1d4f91', '', '', '', 'fr', now()
  FROM generate_series(0, 99) n;
INSERT INTO accounts (id, subject_id, username, username_key, email, email_key, given_name,
    family_name, status, created_at, updated_at, credentials_epoch)
  SELECT 'a_' || n, 'g_' || n, 'parent' || n, 'parent' || n, 'p' || n || '@a.example',
    'p' || n || '@a.example', 'Claire', 'Dubois ' || n, 'active', now(), now(), 0
  FROM generate_series(1, {rows}) n;
INSERT INTO children (id, school_id, subject_id, given_name, family_name, class_name, created_at)
  SELECT 'p_' || n, 's_' || n % 100, 'k_' || n, 'Lina', 'Dubois ' || n, '3B', now()
  FROM generate_series(1, {rows}) n;
INSERT INTO guardianships (id, account_id, child_id, relationship, created_at)
  SELECT 'w_' || n, 'a_' || n, 'p_' || n, 'guardian', now() FROM generate_series(1, {rows}) n;
INSERT INTO audit_events (at, event, result, actor, account_id, detail)
  SELECT now() - n * interval '1 second', 'sign_in', 'ok', '', 'a_' || 1 + n % {rows}, '{{}}'
  FROM generate_series(1, 3 * {rows}) n;
ANALYZE
"""
ACTS = {
    "a sign-in": "SELECT id FROM accounts WHERE username_key = 'parent{n}'",
    "an account is held": "SELECT id FROM accounts WHERE id = 'a_{n}' FOR NO KEY UPDATE",
    "an account is changed": "UPDATE accounts SET updated_at = now() WHERE id = 'a_{n}'",
    "an event is recorded": (
        "INSERT INTO audit_events (at, event, result, actor, account_id, detail)"
        " VALUES (now(), 'sign_in', 'ok', '', 'a_{n}', '{{}}')"
    ),
}


class Traffic(Thread):
    """Does each act again and again, and keeps the longest time that each took."""

    def __init__(self, url: str, rows: int) -> None:
        super().__init__(daemon=True)
        self.longest = dict.fromkeys(ACTS, 0.0)
        self.done = 0
        self._url, self._rows, self._end = url, rows, Event()

    def run(self) -> None:
        random = Random(7)
        with psycopg.connect(self._url, autocommit=True) as connection:
            while not self._end.is_set():
                for name, act in ACTS.items():
                    began = monotonic()
                    connection.execute(act.format(n=random.randint(1, self._rows)).encode())
                    self.longest[name] = max(self.longest[name], monotonic() - began)
                    self.done += 1
                sleep(0.02)

    def stop(self) -> None:
        self._end.set()
        self.join()


def main() -> int:
    """Fill, upgrade, report; the exit code."""
    parser = argparse.ArgumentParser(prog="python -m bench.upgrade", description=__doc__)
    parser.add_argument("--rows", type=int, default=100_000, help="accounts and children, each")
    parser.add_argument("--bound", type=float, default=5.0, help="longest wait, in seconds")
    arguments = parser.parse_args()
    with (
        tempfile.TemporaryDirectory() as folder,
        databases.fresh("postgresql", Path(folder)) as url,
    ):
        settings = provider.environment(Path(folder), url, 1)
        _upgrade(settings, FROM)
        for words in _filled(url, arguments.rows):
            print(words, flush=True)
        traffic = Traffic(url, arguments.rows)
        traffic.start()
        began = monotonic()
        _upgrade(settings, "head")
        took = monotonic() - began
        traffic.stop()
    print(f"`idp db upgrade` from {FROM} took {took:.0f} s beside {traffic.done} acts.")
    for name, seconds in traffic.longest.items():
        print(f"  {name}: at most {seconds:.2f} s")
    return 1 if max(traffic.longest.values()) > arguments.bound else 0


def _upgrade(settings: dict[str, str], revision: str) -> None:
    program = str(Path(sys.executable).parent / "idp")
    subprocess.run([program, "db", "upgrade", revision], env=settings, check=True)


def _filled(url: str, rows: int) -> Iterator[str]:
    with psycopg.connect(url, autocommit=True) as connection:
        for statement in FILLING.split(";"):
            began = monotonic()
            connection.execute(statement.format(rows=rows).encode())
            yield f"{statement.split('(')[0].strip()}: {monotonic() - began:.1f} s"


if __name__ == "__main__":
    sys.exit(main())
