"""Security rule R15: what a worker keeps of applications never outlives what the database says."""

import subprocess
from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select, text, update

from idp import create_app
from idp.clients import kept, registration
from idp.clients.models import Client, ClientVersion
from idp.database import db, transaction
from idp.database.prepared import made_row
from idp.settings import Settings
from tests import factories
from tests.parallel import Queries
from tests.relying_party import World, error_of, world
from tests.security.outages import idp


def told_of(client_id: str) -> Any:
    version = db.session.scalar(select(Client.version).where(Client.id == client_id))
    db.session.rollback()
    return made_row(ClientVersion, id=client_id, version=version)


def kept_at(app: Flask, client_id: str) -> Any:
    with app.app_context():
        return kept.client(told_of(client_id))


@pytest.fixture
def there(client: FlaskClient) -> World:
    """A worker that has answered the application a moment ago."""
    site = world(client, "Lina")
    site.redeem(scope="openid child offline_access")
    return site


@pytest.fixture
def elsewhere(app: Flask, settings: Settings) -> Flask:
    """Another worker."""
    return create_app(settings)


def at_another_machine(settings: Settings, *arguments: str) -> None:
    """The operator's command, in a process of its own."""
    done: subprocess.CompletedProcess[str] = idp(
        *arguments,
        DATABASE_URL=settings.database_url,
        IDP_KEYS_FOLDER=str(settings.keys_folder),
        IDP_HISTORY_FILE=str(settings.history_file),
    )
    assert done.returncode == 0, done.stderr


def test_a_flow_reads_no_registration_again(there: World) -> None:
    with Queries() as seen:
        access = there.redeem(scope="openid child")["access_token"]
        assert there.portal.userinfo(there.http, access).status_code == 200

    assert len([each for each in seen if each.startswith("SELECT")]) == 3, seen
    assert not [each for each in seen if "clients.metadata" in each]


@pytest.mark.long
@pytest.mark.changed_elsewhere("clients/kept.py")
def test_another_machine_disables_it_and_every_endpoint_here_refuses_at_once(
    there: World, settings: Settings
) -> None:
    code = there.answer(scope="openid child")["code"]
    tokens = there.redeem(scope="openid child offline_access")

    at_another_machine(settings, "client", "disable", there.portal.client_id)

    assert there.ask(scope="openid child").status_code == 400
    assert error_of(there.portal.redeem(there.http, code)) == (401, "invalid_client")
    refreshed = there.portal.refresh(there.http, tokens["refresh_token"])
    assert error_of(refreshed) == (401, "invalid_client")
    assert there.portal.userinfo(there.http, tokens["access_token"]).status_code == 401

    at_another_machine(settings, "client", "enable", there.portal.client_id)
    assert "code" in there.answer(scope="openid child")


def test_another_worker_changes_it_and_the_next_request_here_goes_by_that(
    there: World, elsewhere: Flask
) -> None:
    client_id = there.portal.client_id
    metadata = dict(registration.get_client(client_id).metadata_)
    metadata |= {"scope": "openid child", "child_fields": ["sub", "class"]}

    with elsewhere.app_context():
        registration.change(client_id, metadata)

    answered = there.redeem(scope="openid child offline_access")
    assert "refresh_token" not in answered
    about = there.portal.userinfo(there.http, answered["access_token"]).json or {}
    assert "given_name" not in about["child"]


def test_another_worker_gives_a_new_secret_and_the_old_one_opens_nothing_here(
    there: World, elsewhere: Flask
) -> None:
    with elsewhere.app_context():
        registration.rotate_secret(there.portal.client_id)

    refused = there.portal.redeem(there.http, there.answer()["code"])
    assert error_of(refused) == (401, "invalid_client")


def test_another_worker_moves_it_to_another_school_and_no_child_is_told_here(
    there: World, elsewhere: Flask
) -> None:
    access = there.redeem(scope="openid child")["access_token"]
    with elsewhere.app_context():
        other = factories.school("Une autre école").id
        metadata = registration.get_client(there.portal.client_id).metadata_
        registration.change(there.portal.client_id, metadata, school_ids=[other])

    assert "code" not in (there.ask(scope="openid child").location or "")
    assert there.portal.userinfo(there.http, access).status_code == 401


@pytest.mark.parametrize(
    "changes",
    [
        registration.disable,
        registration.rotate_secret,
        lambda id_: registration.change(id_, registration.get_client(id_).metadata_),
        lambda id_: db.session.execute(
            update(Client).where(Client.id == id_).values(registration_token_hash=None)
        ),
        lambda id_: setattr(db.session.get_one(Client, id_), "name", "Another name"),
    ],
    ids=["disable", "secret", "change", "any UPDATE", "an entity"],
)
def test_whatever_changes_the_row_moves_its_version(
    app: Flask, changes: Callable[[str], object]
) -> None:
    client_id = factories.client_app(factories.school()).client.id
    before = told_of(client_id).version

    with transaction():
        changes(client_id)

    assert told_of(client_id).version == before + 1


def test_what_was_read_in_a_transaction_that_is_rolled_back_is_not_kept(app: Flask) -> None:
    client_id = factories.client_app(factories.school()).client.id

    with transaction() as writes:
        writes.execute(update(Client).where(Client.id == client_id).values(name="Never"))
        version = writes.scalar(select(Client.version).where(Client.id == client_id))
        told: Any = made_row(ClientVersion, id=client_id, version=version)
        assert kept.client(told).name == "Never"
        writes.rollback()

    with transaction() as writes:
        writes.execute(update(Client).where(Client.id == client_id).values(name="Then"))
    assert told_of(client_id).version == version
    assert kept_at(app, client_id).name == "Then"


def test_a_change_by_hand_counts_after_seconds(app: Flask) -> None:
    here = kept.KeptClients(lasts=0.0)
    client_id = factories.client_app(factories.school()).client.id
    told = told_of(client_id)
    here.of(told)

    with transaction() as writes:
        writes.execute(
            text("UPDATE clients SET name = 'By hand' WHERE id = :id"), {"id": client_id}
        )

    assert here.of(told).name == "By hand"
    assert kept.KEPT <= 10


def test_a_worker_keeps_so_many_and_no_more(app: Flask) -> None:
    here = kept.KeptClients(most=2)
    school = factories.school()
    told = [told_of(factories.client_app(school).client.id) for _ in range(3)]
    for each in told:
        here.of(each)

    with Queries() as seen:
        here.of(told[2])
        here.of(told[1])
        here.of(told[0])
    assert len(seen) == 1
