"""Rules K2 and R18: what signs and what hashes is changed, and nobody notices."""

import json
import re
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from secrets import token_urlsafe
from time import sleep
from typing import Any

import psycopg
import pytest
from aiosmtpd.smtp import AuthResult
from sqlalchemy import text

from idp.oidc import key_files
from tests import pooler
from tests.cli.guide import blocks
from tests.conftest import SECRETS
from tests.faults import letters
from tests.faults.changes import LED
from tests.faults.machines import DRAIN, Machine, reload
from tests.faults.site import Site, site_of, worker
from tests.faults.traffic import Traffic
from tests.faults.visits import Browser
from tests.security.outages import eventually

SEEN_WITHIN = 5
"""Seconds until every worker has seen a change of keys in the database."""
ROOT = Path(__file__).resolve().parents[2]
LISTS = ("session_secret", "password_pepper", "token_hash_key")

pytestmark = [pytest.mark.nginx, pytest.mark.timeout(600)]


def test_signing_keys_rotate_past_an_application_that_keeps_them_for_an_hour(site: Site) -> None:
    as_if_published_long_ago(site.machine.keys_folder)
    with site.visited() as traffic:
        traffic.application.learn_keys()
        before = traffic.application.last_kid
        assert site.machine.run("keys", "rotate").returncode == 0
        sleep(3)
        site.judge_planned("signing keys rotate", traffic)
    assert traffic.application.last_kid != before


def test_signing_keys_move_into_the_database_and_rotate_there(tmp_path: Path) -> None:
    """As docs/operator.md says, « Keys in the database », on two machines; then what seals them
    there is followed by another, as docs/secrets.md says, and they rotate again.
    """
    former, new = token_urlsafe(48), token_urlsafe(48)
    with site_of(tmp_path, count=2, IDP_DRAIN=DRAIN, IDP_KEYS_ENCRYPTION_KEY=former) as site:
        folder = site.machine.keys_folder
        as_if_published_long_ago(folder)
        with site.visited() as traffic:
            traffic.application.learn_keys()
            before = traffic.application.last_kid
            done(site.machine.run("keys", "move", "--to", "database"))
            for machine in site.machines:
                seal_under(machine, former, new)
            for file in folder.glob("*.pem"):
                file.unlink()
            done(site.machine.run("keys", "rotate"))
            assert eventually(lambda: traffic.application.last_kid != before, 30)
            for machine in site.machines:
                seal_under(machine, new, former)
                # Each seals them with its first: of the other machine that is the second as yet
                for each in site.machines:
                    done(each.run("keys", "ensure"))
                    sleep(SEEN_WITHIN + 1)
            last = len(traffic.done.access)
            assert eventually(lambda: len(traffic.done.access) > last + 20, 30)
            site.judge_planned("signing keys move into the database, and are sealed anew", traffic)
        assert traffic.application.last_kid != before
        assert not [each for each in hanging(site) if each["place"] != 1], "the former may go"


def seal_under(machine: Machine, *secrets: str) -> None:
    """Have it read its keys from the database, sealed under one of these; the first seals."""
    machine.changes["IDP_KEYS_ENCRYPTION_KEY"] = json.dumps(secrets)
    machine.settings(IDP_KEYS_IN="database")
    reload(machine)


def done(command: subprocess.CompletedProcess[str]) -> None:
    assert command.returncode == 0, command.stderr


def test_secrets_rotate_on_two_machines_one_step_after_the_other(tmp_path: Path) -> None:
    """As docs/secrets.md says: the new ones first as second lines, then promoted; in the end the
    former ones are taken out.
    """
    with site_of(tmp_path, count=2, IDP_DRAIN=DRAIN) as site:
        new = {name: token_urlsafe(48).encode() for name in LISTS}
        with site.visited() as traffic:
            for promoted in (False, True):
                for name, secret in new.items():
                    site.secrets[name] = [secret, SECRETS[name]][:: 1 if promoted else -1]
                for machine in site.machines:
                    machine.settings(**as_variables(site.secrets))
                    reload(machine)
            more_sign_in(traffic)
            site.judge_planned("secrets rotate (session, pepper, hashes)", traffic)
        newest = {each["secret"] for each in hanging(site) if each["place"] == 1}
        assert newest >= {"IDP_TOKEN_HASH_KEY", "IDP_PASSWORD_PEPPER"}

        assert site.machine.run("secrets", "status").returncode == 1
        as_if_a_year_had_gone_by(site)
        everybody_signs_in(site)
        status = site.machine.run("secrets", "status")
        assert status.returncode == 0, status.stdout
        with site.visited(desk=False) as traffic:
            for machine in site.machines:
                for name, secret in new.items():
                    site.secrets[name] = [secret]
                machine.settings(**as_variables(site.secrets))
                reload(machine)
            more_sign_in(traffic)
            site.judge_planned("the former secrets are taken out", traffic)
        assert {each["place"] for each in hanging(site)} == {1}


def test_the_databases_password_is_followed_by_another_roles(tmp_path: Path) -> None:
    """The role that serves, as docs/operator.md makes it, then a second one, as docs/secrets.md."""
    with site_of(tmp_path, count=2, IDP_DRAIN=DRAIN) as site:
        passwords = make_roles(site)
        for role, password in passwords.items():
            with site.visited() as traffic:
                all_come_to(site, f"{role}:{password}@{site.url.rpartition('@')[2]}")
                with workers(site):
                    more_sign_in(traffic)
                    assert connected(site) == {role}
                    mails_leave(site)
                    site.judge_planned(f"PostgreSQL is asked as {role}", traffic)
        assert asked_as(site.machine.url) == ("idp_serve", "off")
        with site.visited() as traffic:
            shut_the_first(site)
            reload(site.machine)  # it has to connect anew
            more_sign_in(traffic)
            site.judge_planned("PostgreSQL's former password is good no more", traffic)


def test_behind_pgbouncer_the_databases_password_is_followed_by_another_roles(
    tmp_path: Path,
) -> None:
    with ExitStack() as stack:
        site = stack.enter_context(
            site_of(tmp_path, count=2, IDP_DRAIN=DRAIN, IDP_DATABASE_POOLED="yes")
        )
        passwords = make_roles(site)
        port = int(site.cluster.address.rpartition(":")[2])
        # Whoever finds no connection of PostgreSQL's is told so within seconds
        before = stack.enter_context(
            pooler.begun(port, kept_of(site, "idp_serve"), "query_wait_timeout = 5")
        )
        at = {
            role: f"{role}:{password}@127.0.0.1:{before.port}/idp"
            for role, password in passwords.items()
        }
        all_come_to(site, at["idp_serve"])
        stranger = stack.enter_context(
            psycopg.connect(f"postgresql://{at['idp_serve']}", autocommit=True)
        )
        with site.visited() as traffic:
            with workers(site):
                more_sign_in(traffic)
                assert set(before.clients()) == {"idp_serve"}
            before.lets_in(kept_of(site, "idp_serve", "idp_serve_2"))
            all_come_to(site, at["idp_serve_2"])
            with workers(site):
                more_sign_in(traffic)
                assert before.clients().count("idp_serve") == 1, "the stranger"
                before.lets_in(kept_of(site, "idp_serve_2"))
                run_sql(site, last_of_the_first()[1:])
                more_sign_in(traffic)
                assert connected(site) == {"idp_serve_2"}
                mails_leave(site)
                site.judge_planned("PostgreSQL is asked as another role by PgBouncer", traffic)
        with pytest.raises(psycopg.OperationalError):
            stranger.execute("SELECT 1")
        with pytest.raises(psycopg.OperationalError):
            psycopg.connect(f"postgresql://{at['idp_serve']}")


def kept_of(site: Site, *roles: str) -> dict[str, str]:
    """What PostgreSQL keeps of their passwords, which PgBouncer's list has."""
    query = text("SELECT rolname, rolpassword FROM pg_authid WHERE rolname = ANY(:roles)")
    with site.reading() as now:
        rows = now.execute(query, {"roles": list(roles)})
        return {row.rolname: row.rolpassword for row in rows}


def all_come_to(site: Site, address: str) -> None:
    """One machine after the other, as the documents have it."""
    for machine in site.machines:
        machine.url = f"postgresql://{address}"
        machine.settings()
        reload(machine)


@contextmanager
def workers(site: Site) -> Iterator[None]:
    """Those that a rotation starts anew."""
    with ExitStack() as stack:
        for name in ("mail", "roster", "notify"):
            stack.enter_context(worker(site, name, "work"))
        yield


def mails_leave(site: Site) -> None:
    with site.reading() as now:
        assert letters.waiting(now)
        assert letters.emptied(now, 60).is_in_time


def test_the_mail_servers_password_is_changed_and_no_mail_is_lost(tmp_path: Path) -> None:
    good = {"former"}
    account = {"IDP_MAIL_USERNAME": "idp", "IDP_MAIL_PASSWORD": "former"}
    with site_of(tmp_path, **account) as site:
        site.mail.stop()
        site.mail.smtp_options = lets_in(good)
        site.mail.start()
        with site.visited() as traffic, site.reading() as now:
            with worker(site, "mail", "work"):
                assert eventually(lambda: bool(site.mail.letters), 30)
                good.clear()
                good.add("new")
                assert eventually(lambda: "mail waits" in site.machine.log, 60)
            site.machine.settings(IDP_MAIL_PASSWORD="new")
            with worker(site, "mail", "work"):
                left = letters.emptied(now, 60)
                site.judge_planned("the mail server's password is another", traffic)
        assert left.is_in_time, left


def lets_in(good: set[str]) -> dict[str, Any]:
    """Options of a mail server that takes mail from whoever says one of these passwords; it does
    not require one, for it would warn of what has no TLS: who says a wrong one is refused.
    """

    def authenticate(*asked: Any) -> AuthResult:
        said = asked[-1].password.decode()
        return AuthResult(success=said in good, handled=False)

    return {"authenticator": authenticate, "auth_require_tls": False}


def make_roles(site: Site) -> dict[str, str]:
    """Each role as the documents print it, and its password."""
    guide = next(each.text for each in blocks() if "CREATE ROLE idp_serve" in each.text)
    passwords = {"idp_serve": token_urlsafe(), "idp_serve_2": token_urlsafe()}
    with site.reading() as now:
        now.execute(text(guide.replace("ROLE idp IN", "ROLE postgres IN")))
        now.execute(text(printed_sql()[0]))
        for role, password in passwords.items():  # `\\password`
            now.execute(text(f"ALTER ROLE {role} PASSWORD '{password}'"))
        now.commit()
    return passwords


def printed_sql() -> list[str]:
    """What docs/secrets.md has sent to PostgreSQL, first and last."""
    page = (ROOT / "docs/secrets.md").read_text()
    return re.findall(r"```sql\n(.*?)```", page, re.DOTALL)


def shut_the_first(site: Site) -> None:
    who, *then = last_of_the_first()
    with site.reading() as now:
        assert "idp_serve" not in {name for name, _ in now.execute(text(who))}
    run_sql(site, then)


def last_of_the_first() -> list[str]:
    """The question who comes, and how the first role is shut."""
    return printed_sql()[1].strip().split(";\n")


def run_sql(site: Site, statements: list[str]) -> None:
    with site.reading() as now:
        for each in statements:
            now.execute(text(each))
        now.commit()


def connected(site: Site) -> set[str]:
    """As whom the machines have come; this test's own are the owner's."""
    query = "SELECT usename FROM pg_stat_activity WHERE datname = 'idp' AND usename <> 'postgres'"
    with site.reading() as now:
        return set(now.scalars(text(query)))


def asked_as(url: str) -> tuple[str, str]:
    """Whose rights a role has, and what is set for it."""
    with psycopg.connect(url) as now:
        row = now.execute("SELECT current_user, current_setting('jit')").fetchone()
    assert row
    return row[0], row[1]


def more_sign_in(traffic: Traffic) -> None:
    before = len(traffic.done.sessions)
    assert eventually(lambda: len(traffic.done.sessions) > before + 5, 60)


def hanging(site: Site) -> list[dict[str, Any]]:
    """The secrets on which something hangs."""
    told = json.loads(site.machine.run("secrets", "status", "--json").stdout)
    return [each for each in told if each["hanging"]]


def as_if_a_year_had_gone_by(site: Site) -> None:
    """Everything is over by then that ends by itself; and the secretary has a passkey alone."""
    over = "grants, browser_sessions, interactions, form_submissions, known_devices"
    with site.reading() as now:
        now.execute(text(f"TRUNCATE {over} CASCADE"))
        secretary = "(SELECT id FROM accounts WHERE username = 'secretary')"
        now.execute(text(f"DELETE FROM passwords WHERE account_id = {secretary}"))
        now.execute(text("UPDATE installation_marks SET at = at - INTERVAL '1 year'"))
        now.commit()


def everybody_signs_in(site: Site) -> None:
    for username, password in site.household.passwords:
        browser = Browser(site.door.anew())
        browser.open(LED, "/")
        browser.submit("sign-in", "login-form", username=username, password=password)
        assert 'id="sign-out"' in browser.page


def as_variables(secrets: dict[str, list[bytes]]) -> dict[str, str]:
    return {
        f"IDP_{name.upper()}": json.dumps([each.decode() for each in them])
        for name, them in secrets.items()
    }


def as_if_published_long_ago(folder: Path) -> None:
    """A next key may sign once applications have had an hour to see it."""
    then = (datetime.now(UTC) - timedelta(hours=2)).isoformat()
    entries = [replace(each, created_at=then) for each in key_files.read_index(folder)]
    key_files.write_index(folder, entries)
