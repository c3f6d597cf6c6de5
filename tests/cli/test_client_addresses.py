"""What a registration has us fetch is fetched before the act that stores it."""

import json
from collections.abc import Callable, Iterator
from io import BytesIO
from typing import Any

import pytest
from PIL import Image

from idp.clients import logos, registration, sectors
from idp.clients.models import Client
from idp.database import db
from idp.outgoing.documents import Documents
from tests import factories
from tests.cli.conftest import Run
from tests.outgoing import servers
from tests.outgoing.servers import Server, reply

pytestmark = pytest.mark.quick_on("sqlite")
CALLBACK = "https://homework.example/callback"


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    sector = Documents("sector_identifier_uri", sectors._of_answer)
    monkeypatch.setattr(sectors, "_sector_documents", sector)
    monkeypatch.setattr(logos, "_pictures", Documents("logo_uri", logos._of_answer))
    with servers.running() as made:
        yield made


def create(run: Run, **metadata: Any) -> Any:
    document = {"client_name": "Homework", "redirect_uris": [CALLBACK], **metadata}
    arguments = ("--school", factories.school().id, "--metadata", "-", "--json")
    return run("client", "create", *arguments, stdin=json.dumps(document))


def test_a_logo_is_fetched_once_and_stored(run: Run, server: Server) -> None:
    written = BytesIO()
    Image.new("RGB", (20, 20)).save(written, "PNG")
    server.answer = reply(written.getvalue())

    done = create(run, logo_uri=server.address(path="/logo.png"))

    assert done.exit_code == 0, done.stderr
    assert logos.digest_of(json.loads(done.stdout)["client_id"])
    assert len(server.requests) == 1


def test_a_sector_is_checked_and_kept(run: Run, server: Server) -> None:
    server.answer = reply(json.dumps([CALLBACK]).encode())

    done = create(run, sector_identifier_uri=server.address())

    assert done.exit_code == 0, done.stderr
    client_id = json.loads(done.stdout)["client_id"]
    assert db.session.get_one(Client, client_id).sector == "sector:127.0.0.1"
    assert len(server.requests) == 1


def test_a_sector_that_does_not_list_the_redirect_uri_registers_nothing(
    run: Run, server: Server
) -> None:
    server.answer = reply(b"[]")

    done = create(run, sector_identifier_uri=server.address())

    assert done.exit_code == 2
    assert CALLBACK in done.stderr
    assert registration.list_clients() == []


def test_a_changed_redirect_uri_has_the_sector_read_again(
    run: Run, json_of: Callable[..., Any], server: Server
) -> None:
    server.answer = reply(json.dumps([CALLBACK]).encode())
    client_id = json.loads(create(run, sector_identifier_uri=server.address()).stdout)["client_id"]
    moved = json.dumps({"redirect_uris": ["https://evil.example/callback"]})

    done = run("client", "edit", client_id, "--metadata", "-", stdin=moved)

    assert done.exit_code == 2
    assert json_of("client", "show", client_id)["redirect_uris"] == [CALLBACK]
