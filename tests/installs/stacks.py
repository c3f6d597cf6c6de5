"""The pages of docs/integrate/: what they print, and people who sign in where it runs."""

import json
import re
import shlex
import subprocess
import venv
from pathlib import Path

from click.testing import CliRunner
from flask import current_app
from flask.cli import ScriptInfo

from idp.cli.program import cli
from tests import factories
from tests.clients.documented import Application
from tests.factories import PASSWORD

PAGES = Path("docs/integrate")
WHO = (("claire", "famille@dubois.example"), ("paul", "famille@dubois.example"), ("sans", None))
"""Two guardians of one mailbox, and one without an address."""


def printed(page: str, name: str) -> str:
    """What a page prints under this file name."""
    text = (PAGES / f"{page}.md").read_text()
    found = re.search(
        rf"^`{re.escape(name)}`[^\n]*\n\n```\w+\n(.*?)^```", text, re.DOTALL | re.MULTILINE
    )
    assert found, name
    return found[1]


def command(page: str, begins: str) -> list[str]:
    """A command that a page prints, in words."""
    text = (PAGES / f"{page}.md").read_text()
    found = re.search(rf"^{re.escape(begins)} .*$", text, re.MULTILINE)
    assert found, begins
    return found[0].replace('"', "").split()


def python_with(folder: Path, page: str) -> str:
    """An interpreter with what the page's ``pip install`` installs."""
    venv.create(folder, with_pip=True)
    packages = command(page, "pip install")[2:]
    pip = [str(folder / "bin" / "pip"), "install", "--quiet", "--retries=5"]
    subprocess.run([*pip, *packages], check=True, timeout=170)
    return str(folder / "bin" / "python")


def node_with(folder: Path, page: str) -> None:
    """What the page's ``npm install`` installs, in this folder."""
    # A registry is another's machine: one that answers late is asked again
    words = [*command(page, "npm install"), "--fetch-retries=5"]
    subprocess.run(words, cwd=folder, check=True, timeout=170)


def registered(port: int, callback: str, **metadata: object) -> dict[str, str]:
    """A newly registered application at this port: its environment."""
    school = factories.school()
    for username, email in WHO:
        factories.family(school, "Lina", username=username, email=email)
    made = factories.client_app(
        school,
        redirect_uris=[f"http://127.0.0.1:{port}{callback}"],
        post_logout_redirect_uris=[f"http://127.0.0.1:{port}/"],
        **{"scope": "openid profile child", "require_pkce": True, **metadata},
    )
    return {
        "CLIENT_ID": made.client.id,
        "CLIENT_SECRET": made.secret or "",
        "APP_URL": f"http://127.0.0.1:{port}",
    }


def registered_as_printed(page: str, school_id: str, home: str | None = None) -> dict[str, str]:
    """Run the page's ``idp client create``: the environment of the application.

    ``home``: the address where it runs, without a slash at its end, in place of any that the page
    makes up. Nothing runs of an application that is only compared: its addresses stay as printed.
    """
    text = (PAGES / f"{page}.md").read_text()
    found = re.search(r"^idp (client create (?:.*\\\n)*.*)$", text, re.MULTILINE)
    assert found, "the page registers nothing"
    line = found[1].replace("\\\n", " ")
    if home:
        line = re.sub(r"https://[\w-]+\.example", home, line)
    app = current_app._get_current_object()  # type: ignore[attr-defined]
    info = ScriptInfo(create_app=lambda: app, set_debug_flag=False)
    words = [*shlex.split(line.replace("s_…", school_id)), "--json"]
    done = CliRunner().invoke(cli, words, obj=info)
    assert done.exit_code == 0, done.output
    made = json.loads(done.stdout)
    secret = made.get("client_secret") or ""
    keys = {"CLIENT_ID": made["client_id"], "CLIENT_SECRET": secret}
    return keys | ({"APP_URL": home} if home else {})


def signs_in(browser: Application, username: str) -> str:
    """Fill in the provider's page, to which the application has sent the browser."""
    login = next(form for form in browser.forms() if form.id == "login-form")
    return browser.send(login, username=username, password=PASSWORD)


def signs_out(browser: Application) -> None:
    """Press « sign out » on the provider's question."""
    question = next(form for form in browser.forms() if form.id == "logout-confirm")
    browser.send(question, decision="sign-out")
