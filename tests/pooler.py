"""PgBouncer as the operator's guide has it, before the tests' PostgreSQL: ``POOLED=1``."""

import atexit
import os
import re
import shutil
import subprocess
import tempfile
from functools import cache
from pathlib import Path
from time import monotonic, sleep
from urllib.parse import urlsplit

import psycopg
import pytest

from tests.smtp import free_port

GUIDE = Path(__file__).resolve().parents[1] / "docs" / "operator.md"
WANTED = bool(os.environ.get("POOLED"))
"""Whether every test on PostgreSQL goes through it."""


@cache
def before(cluster: str) -> str:
    """The address of a PgBouncer before this cluster, for as long as this process lives."""
    program = shutil.which("pgbouncer") or shutil.which("/usr/sbin/pgbouncer")
    if program is None:
        pytest.skip("PgBouncer is not installed (Debian: apt-get install pgbouncer)")
    to = urlsplit(cluster)
    folder = Path(tempfile.mkdtemp(prefix="idp-pgbouncer-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    port = free_port()
    (folder / "userlist.txt").write_text(f'"{to.username}" "{to.password}"\n')
    (folder / "pgbouncer.ini").write_text(_configuration(folder, port, to.port or 5432))
    user = {"user": "postgres", "group": "postgres", "extra_groups": []} if not os.geteuid() else {}
    if user:
        for path in (folder, *folder.iterdir()):
            shutil.chown(path, "postgres", "postgres")
    with (folder / "log").open("ab") as log:
        process = subprocess.Popen(  # type: ignore[call-overload]
            [program, str(folder / "pgbouncer.ini")], stdout=log, stderr=log, **user
        )
    atexit.register(process.wait, 10)
    atexit.register(process.terminate)
    address = f"postgresql://{to.username}:{to.password}@127.0.0.1:{port}"
    _wait_for(f"{address}/postgres", folder / "log")
    return address


def _configuration(folder: Path, port: int, to: int) -> str:
    """The guide's, with this run's ports and folder, every database, and few connections."""
    section = GUIDE.read_text(encoding="utf-8").partition("### PgBouncer\n")[2]
    text = section.partition("```ini\n")[2].partition("```")[0]
    for pattern, words in (
        (r"^idp = .*$", f"* = host=127.0.0.1 port={to}"),
        (r"^listen_port = .*$", f"listen_port = {port}\nunix_socket_dir ="),
        (r"^auth_file = .*$", f"auth_file = {folder}/userlist.txt"),
        # Fewer than any test has threads: whoever needs a session finds another's
        (r"^default_pool_size = .*$", "default_pool_size = 3"),
    ):
        text, count = re.subn(pattern, words, text, flags=re.MULTILINE)
        assert count == 1, pattern
    return text


def _wait_for(address: str, log: Path) -> None:
    until = monotonic() + 20
    while True:
        try:
            psycopg.connect(address, prepare_threshold=None).close()
        except psycopg.OperationalError:
            assert monotonic() < until, log.read_text()
            sleep(0.05)
        else:
            return
