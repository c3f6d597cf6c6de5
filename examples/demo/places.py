"""Where the demo keeps what it makes: under ``instance/`` and ``keys/`` of the checkout.

``DEMO_FOLDER`` names another folder for all of it, the keys too: for a second demo, or a test.
"""

import os
import shutil
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
_ELSEWHERE = os.environ.get("DEMO_FOLDER")
INSTANCE = Path(_ELSEWHERE).resolve() if _ELSEWHERE else ROOT / "instance"
KEYS = INSTANCE / "keys" if _ELSEWHERE else ROOT / "keys"
LOGS = INSTANCE / "logs"

DATABASE = INSTANCE / "demo.db"
MAILBOX = INSTANCE / "mailbox.db"
VISITS = INSTANCE / "portal.db"
VISITS2 = INSTANCE / "portal2.db"

SECRETS = INSTANCE / "secrets.env"
SETTINGS = INSTANCE / "demo.env"
CLIENTS = INSTANCE / "clients.json"
HISTORY = INSTANCE / "history.json"
SPOOL = INSTANCE / "spool"
PEOPLE = INSTANCE / "people"
"""Who has an account at the other providers: a file for each."""
AUTHENTICATOR = INSTANCE / "authenticator.json"
"""The secrets of the staff's apps: the first portal plays their phones."""
SUMMARY = INSTANCE / "demo.json"
LOCK = INSTANCE / "demo.lock"


def write_private(file: Path, text: str) -> None:
    """Replace a file in one step; only its owner may read it."""
    file.parent.mkdir(parents=True, exist_ok=True)
    fresh = file.with_name(f".{file.name}.new")
    fresh.unlink(missing_ok=True)
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as opened:
        opened.write(text)
    fresh.replace(file)


def shown(file: Path) -> str:
    """A path as it is printed: seen from the checkout where it lies in it."""
    return str(file.relative_to(ROOT) if file.is_relative_to(ROOT) else file)


def forget() -> None:
    """Remove what a demo made. The keys stay: they may serve more than the demo."""
    databases = (DATABASE, MAILBOX, VISITS, VISITS2)
    beside = [Path(f"{file}{end}") for file in databases for end in ("", "-wal", "-shm")]
    made = (*INSTANCE.glob("history*"), *LOGS.glob("*.log"), *PEOPLE.glob("*.json"))
    for file in (*beside, *made, SECRETS, SETTINGS, CLIENTS, AUTHENTICATOR, SUMMARY):
        file.unlink(missing_ok=True)
    shutil.rmtree(SPOOL, ignore_errors=True)


def idp_command() -> Path:
    """The console script of the environment that runs us."""
    return Path(sys.executable).with_name("idp")
