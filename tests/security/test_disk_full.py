"""Security rule R6: a full disk gives errors, no corruption, and passes by itself."""

import contextlib
import resource
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import event, func, select, text

from idp.credentials import one_time_tokens
from idp.credentials.models import OneTimeToken
from idp.database import db, transaction
from idp.oidc.keys import Keyring, KeyTrouble
from idp.oidc.models import AccessToken, Grant
from idp.sessions.models import BrowserSession
from tests import factories
from tests.factories import PASSWORD
from tests.relying_party import Browser, answer, error_of, form_of, world

pytestmark = pytest.mark.long

NEW = "Brouette-Citadelle-Orage-9"
Full = Callable[[], contextlib.AbstractContextManager[None]]


@contextlib.contextmanager
def no_more_pages() -> Iterator[None]:
    """SQLite may take no further page (SQLITE_FULL), as on a full file system."""

    def limit(connection: Any, _record: Any = None, _proxy: Any = None) -> None:
        pages = connection.execute("PRAGMA page_count").fetchone()[0]
        connection.execute(f"PRAGMA max_page_count = {pages}")

    # A small row may fit into a page that is there: each row now asks for pages of its own.
    with transaction() as writes:
        writes.execute(text("CREATE TABLE ballast (content BLOB)"))
        for table in tables():
            writes.execute(
                text(
                    f"CREATE TRIGGER heavy_{table} BEFORE INSERT ON {table}"
                    " BEGIN INSERT INTO ballast VALUES (zeroblob(100000)); END"
                )
            )
    db.session.remove()
    db.engine.dispose()
    event.listen(db.engine, "checkout", limit)
    try:
        yield
    finally:
        event.remove(db.engine, "checkout", limit)
        db.session.remove()
        db.engine.dispose()
        with transaction() as writes:
            for table in tables():
                writes.execute(text(f"DROP TRIGGER IF EXISTS heavy_{table}"))


@contextlib.contextmanager
def no_more_bytes() -> Iterator[None]:
    """The system refuses to write a byte to any file (EFBIG, a quota's sibling of ENOSPC)."""
    assert signal.getsignal(signal.SIGXFSZ) == signal.SIG_IGN, "Python leaves it to errno"
    _soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    db.session.remove()
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
        db.session.remove()


@contextlib.contextmanager
def no_more_rows() -> Iterator[None]:
    """PostgreSQL answers each INSERT as it does on a full disk: 53100, disk_full."""
    db.session.remove()
    with transaction() as writes:
        writes.execute(
            text(
                "CREATE FUNCTION full_disk() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
                " RAISE EXCEPTION 'could not extend file' USING ERRCODE = '53100'; END $$"
            )
        )
        for table in tables():
            writes.execute(
                text(
                    f"CREATE TRIGGER full_disk BEFORE INSERT ON {table}"
                    " FOR EACH STATEMENT EXECUTE FUNCTION full_disk()"
                )
            )
    try:
        yield
    finally:
        db.session.remove()
        with transaction() as writes:
            writes.execute(text("DROP FUNCTION full_disk() CASCADE"))


WAYS = [
    pytest.param("sqlite", no_more_pages, id="sqlite-full"),
    pytest.param("sqlite", no_more_bytes, id="sqlite-limit"),
    pytest.param("postgresql", no_more_rows, id="postgresql-full"),
]
every_way = pytest.mark.parametrize(("database_url", "full"), WAYS, indirect=["database_url"])


def tables() -> list[str]:
    """The provider's own tables."""
    return [each.name for each in db.metadata.sorted_tables]


def rows(model: Any) -> int:
    return db.session.scalar(select(func.count()).select_from(model)) or 0


def is_sound() -> bool:
    """Whether the database's own check of its file finds nothing."""
    if db.engine.dialect.name != "sqlite":
        return True
    return db.session.scalar(text("PRAGMA integrity_check")) == "ok"


@every_way
def test_r6_a_sign_in_is_refused_whole_and_works_again(client: FlaskClient, full: Full) -> None:
    there = world(client, "Lina", signed_in=False)
    there.ask(scope="openid child")

    with full():
        refused = there.browser.sign_in("claire")
        assert refused.status_code == 503
        assert refused.headers["Retry-After"] == "5"
        assert "Traceback" not in refused.text
        assert client.get("/.well-known/openid-configuration").status_code == 200
        assert client.get("/health/live").status_code == 200
        assert rows(BrowserSession) == 0

    assert is_sound()
    there.ask(scope="openid child")
    assert "code" in answer(there.browser.sign_in("claire"))


@every_way
def test_r6_a_way_whose_last_step_finds_no_room_is_refused_and_goes_on(
    client: FlaskClient, full: Full
) -> None:
    there = world(client, "Lina", signed_in=False)
    there.ask(scope="openid child")
    action, hidden = form_of(there.browser.page.text, "login-form")
    form = {**hidden, "username": "claire", "password": PASSWORD}
    on = client.post(action, data=form).headers["Location"]

    with full():
        assert client.get(on).status_code == 503

    assert "code" in answer(there.browser.open(on))


@every_way
def test_r6_a_code_that_could_not_be_redeemed_still_can(client: FlaskClient, full: Full) -> None:
    there = world(client, "Lina")
    code = there.answer(scope="openid child offline_access")["code"]

    with full():
        refused = there.portal.redeem(client, code)
        assert error_of(refused) == (503, "temporarily_unavailable")
        assert rows(AccessToken) == 0

    assert is_sound()
    assert there.portal.redeem(client, code).status_code == 200
    assert rows(Grant) == 1


@every_way
def test_r6_a_token_is_not_spent_for_a_password_that_was_not_saved(
    client: FlaskClient, full: Full
) -> None:
    guardian = factories.account("nadia", status="invited")
    token = one_time_tokens.mint(guardian.id, "first_sign_in")
    browser = Browser(client)
    browser.open(f"/welcome?token={token}")
    browser.submit("token-form", token=token)
    assert browser.shows("new-password")

    with full():
        refused = browser.submit("password-form", new_password=NEW, repeat_password=NEW)
        assert refused.status_code == 503
        assert db.session.scalars(select(OneTimeToken.spent_at)).one() is None

    assert is_sound()
    browser.open(f"/welcome?token={token}")
    browser.submit("token-form", token=token)
    browser.submit("password-form", new_password=NEW, repeat_password=NEW)
    assert browser.shows("sign-out"), "signed in with the new password"


def test_r6_a_rotation_without_room_leaves_the_keys_as_they_were(
    tmp_path: Path, keys_folder: Path
) -> None:
    folder = tmp_path / "keys"
    folder.mkdir(mode=0o700)
    for file in (*keys_folder.glob("*.pem"), keys_folder / "keyring.json"):
        (folder / file.name).write_bytes(file.read_bytes())
        (folder / file.name).chmod(0o600)
    before = Keyring(folder).key_set()
    _soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, hard))
    try:
        with pytest.raises(KeyTrouble, match="can't be written"):
            Keyring(folder).rotate(force=True)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))

    ring = Keyring(folder)
    assert ring.key_set() == before
    assert ring.signing_key("RS256")
    assert not list(folder.glob("*.tmp")), "no half of a key stays behind"
    ring.rotate(force=True)


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_r6_what_was_seen_of_the_history_is_never_half_written(
    app: Flask, caplog: pytest.LogCaptureFixture
) -> None:
    from idp import settings
    from idp.audit import continuity, events

    events.record("sign_in")
    continuity.remember()
    file = settings.current().history_file
    assert file is not None
    kept = file.read_text()
    events.record("sign_in")

    with no_more_bytes():
        assert isinstance(continuity.remember(), continuity.GoesOn)

    assert file.read_text() == kept
    assert "can't be written" in caplog.text
    assert not list(file.parent.glob(f"{file.stem}*.tmp"))
    continuity.remember()
    assert file.read_text() != kept


@every_way
def test_r6_a_full_disk_is_not_ready_and_ready_again_by_itself(
    client: FlaskClient, full: Full
) -> None:
    with full():
        refused = client.get("/health/ready")
    assert (refused.status_code, refused.json["writes"]) == (503, "failed")
    assert refused.headers["Retry-After"] == "5"
    assert client.get("/health/ready").status_code == 200
