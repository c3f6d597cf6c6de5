"""The developer's application: started if we are told how, and waited for."""

import os
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from secrets import token_hex
from time import monotonic, sleep
from urllib.parse import urlsplit

import requests

from idp.certify.robot import Unreachable

PAUSE = 0.2
STOP_SECONDS = 10


def environment(issuer: str, client_id: str, client_secret: str, home: str) -> dict[str, str]:
    """The variables that the programs of docs/integrate.md read."""
    return {
        "ISSUER": issuer,
        "CLIENT_ID": client_id,
        "CLIENT_SECRET": client_secret,
        "APP_URL": home.rstrip("/"),
    }


@contextmanager
def started(command: Sequence[str], variables: dict[str, str], home: str) -> Iterator[None]:
    """The command with these variables, until the block ends; nothing where there is none.

    What it prints is not ours to show. Raises ``Unreachable`` where it can't be started.
    """
    if not command:
        yield
        return
    environment = {**os.environ, "APP_SECRET": token_hex(32), **variables}
    if port := urlsplit(home).port:
        environment["PORT"] = str(port)
    try:
        process = subprocess.Popen(  # noqa: S603 – what the developer typed
            command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
    except OSError as error:
        raise Unreachable(f"{command[0]} can't be started: {error.strerror}") from error
    try:
        yield
    finally:
        process.terminate()
        try:
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def wait_for(home: str, seconds: float) -> None:
    """Until something answers there. Raises ``Unreachable`` where nothing does."""
    end = monotonic() + seconds
    session = requests.Session()
    session.trust_env = False
    with session:
        while True:
            try:
                session.get(home, timeout=5, allow_redirects=False)
            except requests.RequestException:
                if monotonic() > end:
                    raise Unreachable(f"nothing answers at {home}") from None
                sleep(PAUSE)
            else:
                return
