"""The provider under load: its settings, and ``idp serve`` with two workers."""

import os
import secrets
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bench import processes

WORKERS = 2


def environment(folder: Path, database_url: str, port: int) -> dict[str, str]:
    """The settings of a provider on plain HTTP at 127.0.0.1, all else as in production."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("IDP_")}
    return kept | {
        "IDP_DEMO": "1",
        "IDP_ISSUER": f"http://127.0.0.1:{port}",
        "DATABASE_URL": database_url,
        "IDP_KEYS_FOLDER": str(folder / "keys"),
        "IDP_MAIL_TLS": "none",
        "IDP_DRAIN": "0",
        "IDP_SESSION_SECRET": secrets.token_urlsafe(48),
        "IDP_PASSWORD_PEPPER": secrets.token_urlsafe(48),
        "IDP_TOKEN_HASH_KEY": secrets.token_urlsafe(48),
        "IDP_SUBJECT_KEY": secrets.token_urlsafe(48),
    }


@contextmanager
def serving(settings: dict[str, str], port: int, threads: int | None) -> Iterator[int]:
    """Run the provider until the block ends; yields its process group."""
    command = [
        str(Path(sys.executable).parent / "idp"),
        "serve",
        *("--host", "127.0.0.1", "--port", str(port), "--workers", str(WORKERS)),
        *(("--threads", str(threads)) if threads else ()),
    ]
    with processes.running(command, settings, port) as group:
        yield group
