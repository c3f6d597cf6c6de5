"""``make demo``: four real parts, started, kept, restarted and stopped."""

import os
import re
import signal
import smtplib
import socket
import subprocess
import sys
from html import unescape
from pathlib import Path

import pytest
import requests

from examples.demo.ports import ANYWHERE, DEFAULTS, PortTrouble, choose
from tests.examples.running import PORTS, ROOT, Demo, free_ports, running_demo, start, wait_until


def sign_in(demo: Demo, case: str, portal: str) -> requests.Response:
    """Sign in at a portal as a browser without JavaScript does."""
    account = demo.account(case)
    browser = requests.Session()
    browser.trust_env = False
    page = browser.get(f"{portal}/login", timeout=20)
    fields = dict(re.findall(r'name="(csrf_token)"[^>]*value="([^"]+)"', page.text))
    fields |= {"username": account["username"], "password": account["password"]}
    answer = browser.post(page.url, data=fields, timeout=20)
    onward = re.search(r'http-equiv="refresh" content="0;url=([^"]+)"', answer.text)
    assert onward, answer.text[:2000]
    answer = browser.get(unescape(onward[1]), timeout=20)
    browser.close()
    return answer


def processes_of(folder: Path) -> list[str]:
    """Every process whose environment names this demo's folder."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            environment = (process / "environ").read_bytes()
            command = (process / "cmdline").read_bytes().replace(b"\0", b" ")
        except OSError:
            continue
        if bytes(folder) in environment or bytes(folder) in command:
            found.append(command.decode(errors="replace"))
    return found


def test_demo_json_has_what_was_promised(demo: Demo) -> None:
    document = demo.document
    expected = {"issuer", "portals", "mailbox", "providers", "accounts", "curl_client"}
    expected |= {"desk", "authenticator", "staff"}
    assert set(document) == expected
    assert [set(portal) for portal in document["portals"]] == [{"url", "school", "client_id"}] * 2
    assert document["curl_client"]["redirect_uri"] == "http://127.0.0.1:9/callback"
    for account in document["accounts"]:
        proof = "token" if account["case"] == "invited" else "password"
        assert set(account) == {"case", "username", proof, "email", "linked", "children"}
        assert account["username"] in demo.output


def test_the_table_says_which_portal_is_each_accounts(demo: Demo) -> None:
    """The README sends whoever tries a first sign-in to the portal of that child's school."""
    tilleuls, moulin = (portal["url"] for portal in demo.document["portals"])
    lines = {line.split()[1]: line for line in demo.output.splitlines() if "@" in line}

    invited = next(each for each in demo.document["accounts"] if each["case"] == "invited")
    assert moulin in lines[invited["username"]]
    assert tilleuls not in lines[invited["username"]]
    assert f"{tilleuls}, {moulin}" in lines["elodie.vanderstraeten"]
    assert f"open <http://127.0.0.1:{DEFAULTS['PORTAL2_PORT']}>" in Path("README.md").read_text()


def test_secrets_are_for_their_owner_only(demo: Demo) -> None:
    for name in ("secrets.env", "demo.env", "clients.json", "authenticator.json", "demo.json"):
        assert (demo.folder / name).stat().st_mode & 0o777 == 0o600


def test_the_provider_is_the_issuer_that_demo_json_names(demo: Demo) -> None:
    issuer = demo.document["issuer"]
    discovery = requests.get(f"{issuer}/.well-known/openid-configuration", timeout=10).json()
    assert discovery["issuer"] == issuer


def test_a_parent_of_one_child_comes_to_its_dashboard(demo: Demo) -> None:
    portal = demo.document["portals"][0]["url"]
    answer = sign_in(demo, "one-child", portal)
    assert answer.url == f"{portal}/"
    assert '<h1 id="child-name">Lina Lambert</h1>' in answer.text
    assert "Sophie Lambert" in answer.text


def test_each_portal_sees_the_child_of_its_own_school(demo: Demo) -> None:
    first, second = (portal["url"] for portal in demo.document["portals"])
    assert "Emma Vanderstraeten" in sign_in(demo, "both-schools", first).text
    assert "Noah Vanderstraeten" in sign_in(demo, "both-schools", second).text


def test_a_mail_over_smtp_comes_to_the_mailbox(demo: Demo) -> None:
    with smtplib.SMTP("127.0.0.1", demo.ports["SMTP_PORT"], timeout=10) as server:
        server.sendmail("a@b.example", ["parent@c.example"], "Subject: Bonjour\r\n\r\nTout va bien")
    mails = requests.get(f"{demo.document['mailbox']}.json", timeout=10).json()
    (mail,) = [mail for mail in mails if mail["to"] == "parent@c.example"]
    assert (mail["subject"], mail["text"].strip()) == ("Bonjour", "Tout va bien")


def test_a_taken_port_is_one_line(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        ports = {**free_ports(), "PORTAL2_PORT": taken.getsockname()[1]}
        with start(tmp_path / "demo", ports) as process:
            output, _ = process.communicate(timeout=30)
    assert process.returncode == 2
    assert output.count("\n") == 1
    assert f"port {ports['PORTAL2_PORT']} (PORTAL2_PORT) is taken" in output
    assert not (tmp_path / "demo").exists()


@pytest.mark.parametrize(("text", "reason"), [("abc", "not a port"), ("70000", "not a port")])
def test_an_impossible_port_is_one_line(tmp_path: Path, text: str, reason: str) -> None:
    ports = {**free_ports(), "SMTP_PORT": text}
    with start(tmp_path, ports) as process:  # type: ignore[arg-type]
        output, _ = process.communicate(timeout=30)
    assert (process.returncode, output.count("\n")) == (2, 1)
    assert reason in output


def test_parts_whose_usual_port_is_taken_step_aside(monkeypatch: pytest.MonkeyPatch) -> None:
    wanted = {name: str(port) for name, port in free_ports().items() if name not in ANYWHERE}
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        monkeypatch.setitem(DEFAULTS, "GOOGLE_PORT", taken.getsockname()[1])
        monkeypatch.setitem(DEFAULTS, "CABANGA_PORT", int(wanted["IDP_PORT"]))
        ports = choose(wanted)
        assert ports.google != taken.getsockname()[1]
    assert len({ports.provider, ports.google, ports.facebook, ports.cabanga}) == 4


def test_the_provider_may_be_called_by_a_name_for_passkeys() -> None:
    ports = {name: str(port) for name, port in free_ports().items()}
    assert choose(ports).issuer == f"http://127.0.0.1:{ports['IDP_PORT']}"
    named = choose({**ports, "IDP_NAME": "localhost"})
    assert named.issuer == f"http://localhost:{ports['IDP_PORT']}"
    with pytest.raises(PortTrouble, match="IDP_NAME"):
        choose({**ports, "IDP_NAME": "elsewhere.example"})


def test_two_parts_at_one_port_are_refused(tmp_path: Path) -> None:
    port = free_ports()["IDP_PORT"]
    with start(tmp_path, dict.fromkeys(PORTS, port)) as process:
        output, _ = process.communicate(timeout=30)
    assert (process.returncode, output.count("\n")) == (2, 1)


@pytest.mark.long
def test_a_second_start_keeps_the_data_and_follows_the_ports(tmp_path: Path) -> None:
    with running_demo(tmp_path) as first:
        assert first.end(signal.SIGINT) == 0
    with running_demo(tmp_path) as second:
        assert second.document["curl_client"] == first.document["curl_client"]
        assert second.document["accounts"] == first.document["accounts"]
        assert second.document["issuer"] != first.document["issuer"]
        portal = second.document["portals"][0]["url"]
        assert "Lina Lambert" in sign_in(second, "one-child", portal).text
        assert second.end() == 0
    assert wait_until(lambda: not processes_of(tmp_path)), processes_of(tmp_path)


@pytest.mark.long
def test_a_part_that_dies_ends_the_demo(tmp_path: Path) -> None:
    with running_demo(tmp_path) as demo:
        os.kill(process_of_mailbox(tmp_path), signal.SIGKILL)
        assert demo.process.wait(60) == 1
        assert demo.process.stdout is not None
        assert "mailbox has ended" in demo.process.stdout.read()
    assert wait_until(lambda: not processes_of(tmp_path)), processes_of(tmp_path)


@pytest.mark.long
def test_a_demo_that_is_killed_leaves_nothing_behind(tmp_path: Path) -> None:
    with running_demo(tmp_path) as demo:
        demo.end(signal.SIGKILL)
        assert wait_until(lambda: not processes_of(tmp_path), 40), processes_of(tmp_path)


@pytest.mark.long
def test_a_run_of_tests_that_is_killed_leaves_no_demo_behind(tmp_path: Path) -> None:
    run = f"""
from pathlib import Path
from time import sleep
from tests.examples.running import free_ports, start
start(Path({str(tmp_path)!r}), free_ports())
sleep(60)
"""
    with subprocess.Popen([sys.executable, "-c", run], cwd=ROOT) as runner:
        assert wait_until(lambda: any("examples.demo" in each for each in processes_of(tmp_path)))
        runner.kill()
    assert wait_until(lambda: not processes_of(tmp_path)), processes_of(tmp_path)


def process_of_mailbox(folder: Path) -> int:
    for process in Path("/proc").glob("[0-9]*"):
        try:
            command = (process / "cmdline").read_bytes()
        except OSError:
            continue
        if b"examples.mailbox" in command and bytes(folder) in command:
            return int(process.name)
    raise AssertionError("there is no mailbox")


def test_logs_are_read_by_nobody_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from examples.demo import places, processes

    monkeypatch.setattr(places, "LOGS", tmp_path / "logs")
    (tmp_path / "logs").mkdir()
    (tmp_path / "logs" / "part.log").touch(mode=0o644)  # of a former version
    for name in ("part", "another"):
        part = processes.Part(name, ["true"], {"PATH": os.environ["PATH"]})
        part.start()
        part.process.wait()
        assert part.log.stat().st_mode & 0o777 == 0o600
