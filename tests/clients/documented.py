"""The programs of docs/integrate.md as they are printed, and a parent's browser in front of one."""

import os
import re
import signal
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from html import unescape
from pathlib import Path
from time import monotonic, sleep
from urllib.parse import urljoin

import requests

from tests import factories
from tests.relying_party import Form, forms_of

GUIDE = Path("docs/integrate.md")


def printed(name: str) -> str:
    """The program that the guide prints under this file name."""
    found = re.search(
        rf"^`{re.escape(name)}`.*?```\w+\n(.*?)^```", GUIDE.read_text(), re.DOTALL | re.MULTILINE
    )
    assert found, name
    return found[1]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@dataclass
class Application:
    """A running program, and a parent's browser that follows every redirect."""

    home: str
    http: requests.Session
    page: requests.Response | None = None

    def open(self, path: str) -> str:
        self.page = self.http.get(urljoin(self.home, path), timeout=30)
        return self.page.text

    def send(self, form: Form, **fields: str) -> str:
        assert self.page is not None
        address = urljoin(self.page.url, form.action or self.page.url)
        self.page = self.http.post(address, data={**form.hidden, **fields}, timeout=30)
        # A page that leaves by itself is left, as a browser does
        leaving = re.search(r'http-equiv="refresh"\s+content="0;\s*url=([^"]+)"', self.page.text)
        if leaving:
            self.page = self.http.get(urljoin(self.page.url, unescape(leaving[1])), timeout=30)
        return self.page.text

    def forms(self) -> list[Form]:
        assert self.page is not None
        return forms_of(self.page.text)

    def cancel(self) -> str:
        return self.send(next(each for each in self.forms() if each.action.endswith("/cancel")))

    def sign_in(self) -> str:
        """Sign in, and choose the first child."""
        self.open("/login")
        login = next(each for each in self.forms() if each.id == "login-form")
        page = self.send(login, username="claire", password=factories.PASSWORD)
        chosen = re.search(r'name="child"\s+value="([^"]+)"', page)
        assert chosen
        cards = next(each for each in self.forms() if each.id == "child-form")
        return self.send(cards, child=chosen[1])


@contextmanager
def running(
    issuer: str,
    folder: Path,
    program: str,
    command: list[str],
    scope: str = "openid profile child",
) -> Iterator[Application]:
    """A printed program beside the provider, for a parent of two children.

    ``command``: how it is started; ``PORT`` in it stands for the port.
    """
    port = free_port()
    home = f"http://127.0.0.1:{port}/"
    school = factories.school()
    factories.family(school, "Lina", "Noé", username="claire")
    registered = factories.client_app(
        school,
        redirect_uris=[f"{home}callback"],
        post_logout_redirect_uris=[home],
        scope=scope,
        child_fields=["sub", "given_name", "school.id", "switchable"],
    )
    (folder / program).write_text(printed(program))
    more = {
        "ISSUER": issuer,
        "CLIENT_ID": registered.client.id,
        "CLIENT_SECRET": registered.secret,
        "APP_URL": home.rstrip("/"),
        "APP_SECRET": "of-the-application",
    }
    arguments = [each.replace("PORT", str(port)) for each in command]
    with started(arguments, folder, port, more):
        yield Application(home, requests.Session())


@contextmanager
def started(
    command: list[str], folder: Path, port: int, more: dict[str, str], *, patience: float = 60
) -> Iterator[None]:
    """A program that listens at ``port``, until the block ends; ``more``: of its environment,
    ``patience``: seconds until it answers.
    """
    environment = {**os.environ, **more, "PORT": str(port)}
    silent = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    with subprocess.Popen(
        command, cwd=folder, env=environment, start_new_session=True, **silent
    ) as process:
        try:
            _wait_for(port, process, patience)
            yield
        finally:
            # `node`, `mvn` and `go run` begin another process, which would stay
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGTERM)


def _wait_for(port: int, process: subprocess.Popen[bytes], patience: float) -> None:
    end = monotonic() + patience
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
        except OSError:
            assert process.poll() is None, f"the program ended with {process.returncode}"
            assert monotonic() < end, "the program does not answer"
            sleep(0.1)
        else:
            return


def signs_in_and_says_which_child(application: Application) -> None:
    page = application.sign_in()
    assert "Hello Claire Dubois, this is about Lina" in page
    assert "Another child" in page


def keeps_the_child_where_another_is_cancelled(application: Application) -> None:
    application.sign_in()
    application.open("/switch")
    assert "this is about Lina" in application.cancel()


def leads_on_where_the_sign_in_is_cancelled(application: Application) -> None:
    application.open("/login")
    page = application.cancel()
    assert 'href="/login"' in page


def leads_on_from_an_answer_that_this_browser_did_not_ask_for(application: Application) -> None:
    assert 'href="/login"' in application.open("/callback?code=x&state=y")
    application.sign_in()
    assert "this is about Lina" in application.open("/callback?code=x&state=y")


CHECKS = (
    signs_in_and_says_which_child,
    keeps_the_child_where_another_is_cancelled,
    leads_on_where_the_sign_in_is_cancelled,
    leads_on_from_an_answer_that_this_browser_did_not_ask_for,
)
