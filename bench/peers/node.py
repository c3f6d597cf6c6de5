"""node-oidc-provider, with what it keeps in memory or in PostgreSQL."""

import json
import os
import secrets
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from joserfc.jwk import RSAKey

from bench import processes
from bench.plans import REDIRECT_URI, Target

SOURCE = Path(__file__).parent / "node"
INSTALLED = Path("build/peers/node")
CODE, REFRESH = "code", "refresh"
"""Its applications. Only the second one is given refresh tokens."""


def installed() -> Path:
    """The folder in which it is installed, at the versions of ``node/package.json``."""
    wanted = (SOURCE / "package.json").read_text()
    stamp = INSTALLED / "installed.json"
    INSTALLED.mkdir(parents=True, exist_ok=True)
    for file in SOURCE.iterdir():
        shutil.copy(file, INSTALLED)
    if not stamp.exists() or stamp.read_text() != wanted:
        # A registry is another's machine: one that answers late is asked again
        command = ["npm", "install", "--no-audit", "--no-fund", "--silent", "--fetch-retries=5"]
        try:
            subprocess.run(command, cwd=INSTALLED, check=True)
        except (OSError, subprocess.CalledProcessError) as error:
            raise processes.Failed(f"node-oidc-provider can't be installed: {error}") from error
        stamp.write_text(wanted)
    return INSTALLED


@contextmanager
def serving(
    folder: Path, port: int, database: str | None, count: int
) -> Iterator[tuple[int, Target, Target]]:
    """Run it in ``count`` processes until the block ends.

    Yields its process group, and the application of code flows and the one of refresh grants.
    """
    secret = secrets.token_urlsafe(32)
    key = RSAKey.generate_key(2048, {"use": "sig", "alg": "RS256", "kid": "bench"})
    environment = {
        "PATH": os.environ["PATH"],
        "NODE_ENV": "production",
        "ISSUER": f"http://127.0.0.1:{port}",
        "PROCESSES": str(count),
        "CLIENT_SECRET": secret,
        "COOKIE_KEY": secrets.token_urlsafe(32),
        "REDIRECT_URI": REDIRECT_URI,
        "SIGNING_KEY": json.dumps(key.as_dict(private=True)),
        **({"DATABASE_URL": database} if database else {}),
    }
    command = ["node", str(folder / "server.mjs")]
    with processes.running(command, environment, port) as group:
        yield group, Target(port, CODE, secret), Target(port, REFRESH, secret)
