"""What every test may ask for: an application on SQLite and on PostgreSQL, and a browser."""

import gc
import os
from collections.abc import Callable, Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from prometheus_client import CollectorRegistry

from idp import correlation, create_app, measures
from idp.settings import Settings
from tests import compiled_once, databases, pooler, scheduling, skipped
from tests.apart import ApartClient
from tests.conformance import results
from tests.examples.running import Demo, running_demo

SECRETS = {
    name: sha256(f"a test's {name}".encode()).hexdigest().encode()
    for name in ("session_secret", "password_pepper", "token_hash_key", "subject_key")
}
SECRET_VARIABLES = {f"IDP_{name.upper()}": value.decode() for name, value in SECRETS.items()}
"""The same as an environment has them."""


def settings_for_tests(database_url: str, keys_folder: Path, **changes: object) -> Settings:
    """Settings of a provider under test: cheap bcrypt, fixed secrets, plain HTTP on loopback."""
    values: dict[str, object] = {
        **SECRETS,
        "demo": True,
        "issuer": "http://127.0.0.1:8000",
        "database_url": database_url,
        "database_pooled": pooler.WANTED and database_url.startswith("postgresql"),
        "keys_folder": keys_folder,
        "history_file": history_file(database_url, keys_folder),
        "spool_folder": history_file(database_url, keys_folder).with_suffix(".spool"),
        "bcrypt_cost": 4,
        "mail_tls": "none",
        **changes,
    }
    return Settings(**values)  # type: ignore[arg-type]


def environment_for_tests(database_url: str, keys_folder: Path, **changes: str) -> dict[str, str]:
    """The environment of a real ``idp`` on a test's database, and nothing else.

    What it keeps beside the database is that database's own: of another's history it would say
    that this one was restored from a backup, and do nothing.
    """
    history = history_file(database_url, keys_folder)
    return {
        "PATH": os.environ["PATH"],
        "DATABASE_URL": database_url,
        "IDP_DEMO": "1",
        "IDP_KEYS_FOLDER": str(keys_folder),
        "IDP_HISTORY_FILE": str(history),
        "IDP_SPOOL_FOLDER": str(history.with_suffix(".spool")),
        "IDP_BCRYPT_COST": "4",
        **SECRET_VARIABLES,
        **changes,
    }


def history_file(database_url: str, keys_folder: Path) -> Path:
    """Tests share keys, not databases: each database has a history of its own."""
    name = sha256(database_url.encode()).hexdigest()[:16]
    return keys_folder / f"history-{name}.json"


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Iterator[None]:
    """Where everything can be installed (CI), a test that is skipped has failed."""
    outcome = yield
    report = outcome.get_result()  # type: ignore[attr-defined]
    if report.skipped and os.environ.get("CI") == "true":
        report.outcome = "failed"
        report.longrepr = f"skipped although CI=true: {report.longrepr}"


CONTRADICTIONS = pytest.StashKey[list[str]]()


def pytest_sessionfinish(session: pytest.Session) -> None:
    """A run fails where docs/conformance.md says what it contradicts."""
    session.config.stash[CONTRADICTIONS] = results.finished(session)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """What the page of requirements says wrongly; what the run went without."""
    for line in terminalreporter.config.stash.get(CONTRADICTIONS, []):
        terminalreporter.write_line(line, red=True)
    lines = list(skipped.table(terminalreporter.stats))
    if terminalreporter.config.args_source is pytest.Config.ArgsSource.TESTPATHS:
        lines += skipped.left_to_others()
    if lines:
        terminalreporter.section("skipped")
        for line in lines:
            terminalreporter.write_line(line)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Each test runs on each kind of database, unless its module says which one is enough.

    It says so with ``pytest.mark.quick_on``: what databases do differently says nothing. With
    ``EACH_DATABASE=1`` (``make test-each``) every test runs on each.
    """
    if not os.environ.get("EACH_DATABASE"):
        left_out = {item for item in items if databases.may_leave_out(item)}
        config.hook.pytest_deselected(items=list(left_out))
        items[:] = [item for item in items if item not in left_out]
    _leave_for_another_run(config, items)
    scheduling.put_long_ones_first(items)


def _leave_for_another_run(config: pytest.Config, items: list[pytest.Item]) -> None:
    """What takes long and rarely breaks runs with ``LONG=1`` (``make test-long``), and alone then.

    A file, class or test that somebody names runs whatever it takes.
    """
    wanted = os.environ.get("LONG")
    if not wanted and config.args_source is not pytest.Config.ArgsSource.TESTPATHS:
        return
    other = {item for item in items if _is_long(item) != bool(wanted)}
    config.hook.pytest_deselected(items=list(other))
    items[:] = [item for item in items if item not in other]


def _is_long(item: pytest.Item) -> bool:
    """By its mark, or its module's: with ``long_on`` that is so on one kind of database alone."""
    kinds = [kind for mark in item.iter_markers("long_on") for kind in mark.args]
    return item.get_closest_marker("long") is not None or databases.kind_of(item) in kinds


def pytest_configure() -> None:
    """What is collected, half a million objects, stays: nobody looks for garbage in it."""
    gc.disable()


def pytest_collection_finish() -> None:
    """From here on garbage is looked for in what the tests make, and nowhere else.

    Not after each 700 objects: one page makes thousands, and they are gone with it.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(10_000)
    gc.enable()


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> scheduling.LongestFirst | None:
    """Our own order for ``--dist loadfile``."""
    return scheduling.LongestFirst(config, log) if config.option.dist == "loadfile" else None


@pytest.fixture(scope="session", autouse=True)
def compiled_only_once() -> Iterator[None]:
    """See ``tests.compiled_once``."""
    with pytest.MonkeyPatch.context() as monkeypatch:
        compiled_once.patch(monkeypatch)
        yield


@pytest.fixture(scope="session", autouse=True)
def no_wait_for_other_workers() -> Iterator[None]:
    """There are none: whoever registers an application for another algorithm goes on at once."""
    from idp.clients import algorithms

    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setattr(algorithms, "sleep", lambda _seconds: None)
        yield


@pytest.fixture(scope="session")
def keys_folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Our keys, made once for all tests of a process: whoever changes some takes a copy."""
    from idp.oidc import key_files, keys

    folder = tmp_path_factory.mktemp("keys")
    keys.Keyring(folder).ensure()
    made = key_files.read_index(folder)
    yield folder
    assert key_files.read_index(folder) == made, "a test has changed the keys of all"


@pytest.fixture(scope="session")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    """One demo for all tests that only look at it or change what is theirs: thirteen processes."""
    with running_demo(tmp_path_factory.mktemp("demo")) as running:
        yield running


@pytest.fixture(params=databases.KINDS)
def database_url(request: pytest.FixtureRequest) -> Iterator[str]:
    """An empty, migrated database of its own: the test runs once on each kind."""
    with databases.fresh(request.param) as url:
        yield url


@pytest.fixture
def settings(database_url: str, keys_folder: Path) -> Settings:
    return settings_for_tests(database_url, keys_folder)


@pytest.fixture
def app(settings: Settings) -> Iterator[Flask]:
    """The provider, with an application context pushed for calls of services and factories."""
    app = create_app(settings)
    app.testing = True
    app.test_client_class = ApartClient
    correlation.begin()  # what the test before has done is done by nobody any more
    with app.app_context():
        yield app
        from idp.database import db

        db.session.remove()
        db.engine.dispose()


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    """A browser without JavaScript, with a cookie jar."""
    return app.test_client()


Measured = Callable[..., float]


@pytest.fixture
def measured(monkeypatch: pytest.MonkeyPatch) -> Measured:
    """What Prometheus would read of a name with its labels, counted since the test began."""
    registry = CollectorRegistry()
    monkeypatch.setattr(measures, "_metrics", None)
    measures.begin(registry)

    def measured(name: str, **labels: str) -> float:
        return registry.get_sample_value(name, labels) or 0

    return measured
