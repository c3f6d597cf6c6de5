"""What the machine can do at the most: signatures, bcrypt checks, commits, empty pages."""

import multiprocessing
import os
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from time import perf_counter

import bcrypt
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from sqlalchemy import Engine, text

from bench import measure, processes
from bench.exchange import Call, Plan, expect, get_request

BCRYPT_COST = 12


@dataclass
class Limits:
    """Operations a second. Keys of the dictionaries: how many at once."""

    signatures_one_core: float = 0.0
    signatures: float = 0.0
    bcrypt_one_core: float = 0.0
    bcrypt: float = 0.0
    pages: dict[int, float] = field(default_factory=dict)
    commits: dict[int, float] = field(default_factory=dict)

    def rate(self, what: str, at_once: int) -> float:
        """The limit of one kind of work for so many visitors at once."""
        one = at_once == 1
        return {
            "signatures": self.signatures_one_core if one else self.signatures,
            "bcrypt": self.bcrypt_one_core if one else self.bcrypt,
            "requests": self.pages.get(at_once, 0.0),
            "commits": self.commits.get(at_once, 0.0),
        }[what]


def processor(seconds: float, cores: int) -> Limits:
    """Signatures and bcrypt checks a second, on one core and on all that the provider uses."""
    limits = Limits()
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(cores, mp_context=context) as pool:
        list(pool.map(_ready, range(cores)))
        limits.signatures_one_core = pool.submit(_signatures, seconds).result()
        limits.signatures = sum(pool.map(_signatures, [seconds] * cores))
        limits.bcrypt_one_core = pool.submit(_bcrypt_checks, seconds).result()
        limits.bcrypt = sum(pool.map(_bcrypt_checks, [2 * seconds] * cores))
    return limits


def commits(engine: Engine, at_once: int, seconds: float) -> float:
    """Commits of one small row a second, with the very connections that the provider opens."""
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE IF NOT EXISTS bench_commits (said varchar(100))"))
    done = [0] * at_once
    over = perf_counter() + seconds
    threads = [
        threading.Thread(target=_commit, args=(engine, done, number, over), daemon=True)
        for number in range(at_once)
    ]
    began = perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(seconds + 30)
    return sum(done) / (perf_counter() - began)


def pages(at_once: tuple[int, ...], seconds: float) -> dict[int, float]:
    """Requests a second for a page without any work, under the provider's own server."""
    port = processes.free_port()
    with _empty_server(port):
        return {
            number: measure.cell(port, lambda _: _empty_page(port), number, seconds).rate
            for number in at_once
        }


def _empty_page(port: int) -> Plan:
    answer = yield Call("page", get_request("/", f"127.0.0.1:{port}"))
    expect(answer, 200, "page")


@contextmanager
def _empty_server(port: int) -> Iterator[None]:
    command = [
        sys.executable, "-m", "granian", "--interface", "wsgi", "--host", "127.0.0.1",
        "--port", str(port), "--workers", "2", "--no-ws", "--log-level", "error",
        "bench.empty:application",
    ]  # fmt: skip
    with processes.running(command, dict(os.environ), port):
        yield


def _commit(engine: Engine, done: list[int], number: int, over: float) -> None:
    pooled = engine.raw_connection()
    connection = pooled.driver_connection
    assert connection is not None
    cursor = connection.cursor()
    sqlite = engine.dialect.name == "sqlite"
    row = "x" * 80
    while perf_counter() < over:
        if sqlite:
            cursor.execute("BEGIN IMMEDIATE")
            cursor.execute("INSERT INTO bench_commits VALUES (?)", (row,))
        else:
            cursor.execute("INSERT INTO bench_commits VALUES (%s)", (row,))
        connection.commit()
        done[number] += 1
    cursor.close()
    pooled.close()


def _ready(_number: int) -> None:
    threading.Event().wait(0.2)  # long enough that every process of the pool takes one


def _rate(work: Callable[[], object], seconds: float) -> float:
    work()
    began = perf_counter()
    done = 0
    while (elapsed := perf_counter() - began) < seconds:
        work()
        done += 1
    return done / elapsed


def _signatures(seconds: float) -> float:
    key = rsa.generate_private_key(65537, 2048)
    payload = os.urandom(600)  # about an ID token's length
    return _rate(lambda: key.sign(payload, padding.PKCS1v15(), SHA256()), seconds)


def _bcrypt_checks(seconds: float) -> float:
    password = os.urandom(48).hex()[:64].encode()
    hashed = bcrypt.hashpw(password, bcrypt.gensalt(BCRYPT_COST))
    return _rate(lambda: bcrypt.checkpw(password, hashed), seconds)
