"""Rule N10: every command of the operator's guide is run, and does what the guide says."""

import re
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest
import yaml

from idp import create_app
from idp.database import db, transaction, update_all
from idp.federation.models import FederatedLink
from idp.mail.models import OutboxMessage
from idp.people import accounts
from idp.privacy import erasure
from idp.settings import Settings, variables
from tests import databases
from tests.cli.guide import DEPLOY, Block, Machine, blocks

PASSWORD = "scratch-only"
MTLS = "Mutual TLS without a proxy"
pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[Machine]:
    cluster = databases.postgresql_cluster()
    made = Machine(tmp_path / "machine", cluster, {"IDP_KEY_CACHE": "0"})
    yield made
    with psycopg.connect(f"{cluster}/postgres", autocommit=True) as administration:
        restored = "SELECT datname FROM pg_database WHERE starts_with(datname, 'idp_before_')"
        for name in ["idp", *(row[0] for row in administration.execute(restored).fetchall())]:
            administration.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)".encode())
        administration.execute("DROP ROLE IF EXISTS idp")
        administration.execute("DROP ROLE IF EXISTS idp_serve")


def under(*headings: str) -> list[Block]:
    return [block for block in blocks() if block.heading in headings]


def install(machine: Machine) -> None:
    """The chapters up to « First start », to the letter."""
    for block in under("Install", "Database", "Settings and secrets"):
        if block.kind == "sh":
            machine.run(block)
            if "createdb" in block.text:
                machine.sql(f"ALTER ROLE idp PASSWORD '{PASSWORD}'")
        elif block.file == "/etc/idp/idp.env":
            address = machine.cluster.split("@")[1]
            file = machine.write(block, DATABASE_URL=f"postgresql://idp:{PASSWORD}@{address}/idp")
            assert file.stat().st_mode & 0o777 == 0o600


def in_application(machine: Machine, act: Callable[[], object]) -> None:
    environment = variables.parse_file((machine.folder / "etc/idp/idp.env").read_text())
    app = create_app(Settings.from_environment(environment | machine.settings))
    with app.app_context():
        act()
        db.session.remove()
        db.engine.dispose()


def link_claire() -> None:
    account = accounts.find_by_username("claire.dubois")
    assert account is not None
    with transaction() as writes:
        writes.add(FederatedLink(account_id=account.id, provider="google", issuer="x", subject="1"))


def paul_asks() -> None:
    account = accounts.create_account(
        username="paul.lambert", given_name="Paul", family_name="Lambert"
    )
    erasure.request_erasure(account.id)


def his_mail_has_left() -> None:
    account = accounts.find_by_username("paul.lambert")
    assert account is not None
    update_all(OutboxMessage, OutboxMessage.account_id == account.id, status="sent")


@pytest.mark.long
def test_n10_every_command_of_the_guide_runs(machine: Machine) -> None:
    install(machine)
    for block in under("First start"):
        if "idp.env check" in block.text:
            checked = block.text.replace("sudo -u idp idp --env-file /etc/idp/idp.env check\n", "")
            block = Block(block.heading, block.kind, checked, None)  # noqa: PLW2901
        machine.run(block)
    school = machine.newest["s"]
    for name, given_name, family_name in (
        ("pierre.moreau", "Pierre", "Moreau"),
        ("marc.janssens", "Marc", "Janssens"),
    ):
        machine.idp(f"idp user create {name} --given-name {given_name} --family-name {family_name}")
    machine.idp(f"idp child create --school {school} --given-name Zoé --family-name Moreau"
                " --class 3B --guardian pierre.moreau")  # fmt: skip

    before = {
        "An account at another provider was taken over": lambda: in_application(
            machine, link_claire
        ),
        "A parent asks to be erased": lambda: in_application(machine, paul_asks),
        "Erasing somebody at once": lambda: in_application(machine, his_mail_has_left),
    }
    ran = {"Install", "Database", "Settings and secrets", "First start", "systemd", MTLS}
    for block in blocks():
        if block.heading in ran or block.kind not in {"sh", "sql"}:
            continue
        before.pop(block.heading, lambda: None)()
        if block.heading.startswith("Staff"):
            machine.newest["s"] = school
        machine.run(block) if block.kind == "sh" else machine.sql(block.text)
    assert not before, "a heading of the guide was renamed"
    for command in ("apt install", "systemctl stop idp", "systemctl restart idp", "git pull"):
        assert command in machine.noted
    for command in ("podman build", "docker compose up", "helm upgrade --install"):
        assert command in machine.noted
    secrets = machine.folder / "usr/local/src/school-idp/deploy/secrets"
    compose = yaml.safe_load((DEPLOY / "compose.yaml").read_text())
    assert {file.name for file in secrets.iterdir()} == set(compose["secrets"])
    assert {file.stat().st_mode & 0o777 for file in secrets.iterdir()} == {0o400}
    with pytest.raises(AssertionError, match="mail server"):  # there is none
        machine.idp("idp check")


def test_n10_the_units_are_sound_and_hardened(machine: Machine) -> None:
    for block in under("systemd"):
        machine.run(block)
    units = {
        unit.name: unit.read_text()
        for unit in sorted((machine.folder / "etc/systemd/system").glob("*"))
    }
    assert list(units) == [
        "idp-backup.service", "idp-backup.timer",
        "idp-mail.service", "idp-mtls.service", "idp-notify.service", "idp-overview.service",
        "idp-overview.timer", "idp-purge.service", "idp-purge.timer", "idp-roster.service",
        "idp.service",
    ]  # fmt: skip
    services = {name: text for name, text in units.items() if name.endswith(".service")}
    command = re.compile(r"^ExecStart=/opt/idp/bin/idp (\S+(?: [a-z]+)?)", re.MULTILINE)
    assert {name: command.findall(text) for name, text in services.items()} == {
        "idp-backup.service": ["backup create"],
        "idp-mail.service": ["mail work"],
        "idp-mtls.service": ["mtls serve"],
        "idp-notify.service": ["notify work"],
        "idp-overview.service": ["overview refresh"],
        "idp-purge.service": ["purge"],
        "idp-roster.service": ["roster work"],
        "idp.service": ["serve"],
    }
    for oneshot in ("idp-backup.service", "idp-overview.service", "idp-purge.service"):
        assert "Type=oneshot" in services[oneshot]
        assert "[Install]" not in services[oneshot]
    assert "OnCalendar=*:0/15" in units["idp-overview.timer"]
    for name in re.findall(r"idp[\w-]*\.(?:service|timer)", machine.noted):
        assert name in units
    # One hardening for all
    hardened = {
        text[text.index("\nNoNewPrivileges=") :].partition("\n\n[Install]")[0].rstrip()
        for text in services.values()
    }
    assert len(hardened) == 1


@pytest.mark.parametrize(
    "unit", sorted((DEPLOY / "systemd").glob("*.service")), ids=lambda u: u.stem
)
def test_n10_a_unit_is_exposed_little(unit: Path) -> None:
    if (analyze := shutil.which("systemd-analyze")) is None:
        pytest.skip("systemd is not installed")
    done = subprocess.run(
        [analyze, "security", "--offline=yes", "--threshold=30", "--no-pager", str(unit)],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-300:] + done.stderr


def test_n10_the_settings_of_the_guide_exist() -> None:
    environment: dict[str, str] = {}
    for block in blocks():
        if block.kind == "ini" and block.heading in {"Settings and secrets", "Other providers"}:
            environment |= variables.parse_file(block.text)
    names = {name.removesuffix("_FILE"): "1" for name in environment if name != "IDP_ENV_FILE"}
    names = {name: environment.get(name, "x") for name in names}
    names["IDP_PROVIDERS"] = environment["IDP_PROVIDERS"]
    assert Settings.from_environment(names).providers


def test_n10_nginx_takes_the_configuration(machine: Machine) -> None:
    (block,) = (each for each in under("nginx") if each.kind == "nginx")
    assert block.file == "/etc/nginx/conf.d/idp.conf"
    assert block.text.count("{") == block.text.count("}")
    if (nginx := shutil.which("nginx") or shutil.which("/usr/sbin/nginx")) is None:
        pytest.skip("nginx is not installed")
    folder = machine.folder / "etc/letsencrypt/live/id.example"
    folder.mkdir(parents=True)
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=id.example",
         "-keyout", folder / "privkey.pem", "-out", folder / "fullchain.pem"],
        check=True, capture_output=True,
    )  # fmt: skip
    file = machine.write(block)
    file.write_text(file.read_text().replace("/var/log/nginx", str(machine.folder)))
    whole = machine.folder / "nginx.conf"
    whole.write_text(f"pid {machine.folder}/pid; events {{}} http {{ include {file}; }}")
    done = subprocess.run(
        [nginx, "-t", "-c", str(whole)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.long
def test_n10_r9_a_backup_is_restored_onto_a_database_that_was_upgraded_since(
    machine: Machine,
) -> None:
    install(machine)
    machine.idp("idp db upgrade")
    machine.idp("idp keys ensure")
    machine.idp("idp db downgrade 0046 --yes")
    machine.sql(
        "INSERT INTO audit_events (at, event, result, actor, detail)"
        " VALUES (now(), 'sign_in', 'ok', 'before', '{}')"
    )
    for block in under("Backup and restore"):
        machine.run(block)
    machine.idp("idp db upgrade")
    machine.idp("idp user create lost.since --given-name Lost --family-name Since")

    for block in under("What a restored database brings back"):
        if block.kind == "sh":
            machine.run(block)

    assert "yes" in machine.idp("idp db current")
    assert "lost.since" not in machine.idp("idp user list")
    listed = machine.idp("idp audit list")
    assert "before" in listed
    assert "database_restored" in listed
