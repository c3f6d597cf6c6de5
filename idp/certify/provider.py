"""The test provider: ours, at an address of this computer, for the test school alone.

Everything it stands on is made anew and thrown away: database, keys, secrets. Its settings come
from here and from nowhere else, so that no environment turns it towards a real database.
"""

import logging
import secrets
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Thread
from typing import Any, Final

import alembic.command
from flask import Flask
from sqlalchemy import update
from werkzeug.serving import BaseWSGIServer, WSGIRequestHandler, make_server

from idp import create_app
from idp.certify import enrolment
from idp.certify.learning import Registration
from idp.certify.notices import Notices
from idp.certify.school import Person, TestSchool
from idp.certify.wrong_answers import WrongAnswers
from idp.clients import registration
from idp.clients.models import Client
from idp.database import db, keyed_hash, migrations, transaction
from idp.deliveries import worker
from idp.lifecycle import endings
from idp.oidc import keys, refusals
from idp.settings import Settings
from idp.settings.secrets import DatabaseUrl, Secret

HOST: Final = "127.0.0.1"
PORT: Final = 9400
CLIENT_ID: Final = "certify"
CLIENT_SECRET: Final = "only-for-the-test-school-of-idp-certify"  # noqa: S105 – it opens nothing else
"""The same each time, so that an application is set up once."""
ACCESS_TOKEN_LIFETIME: Final = timedelta(minutes=5)
"""Short, for who asks again when it is over; Authlib's client takes less than a minute for none."""


class PortTaken(Exception):
    """Another program listens there."""


class TestProvider:
    """A running provider with the test school in it, and what the robot asks of it."""

    __test__ = False  # a name that pytest would collect

    def __init__(self, app: Flask, answers: WrongAnswers, clients: Registration) -> None:
        self.app = app
        self.answers = answers
        self.registration = clients
        self.notices = Notices(app, CLIENT_ID)
        self.issuer: str = app.extensions["idp.settings"].issuer

    def enrol(self) -> TestSchool:
        """A fresh test school, and the application registered for it: who was here before in
        an application's database is nobody of it.
        """
        self.answers.requests.clear()
        with self.app.app_context():
            schools, enrolled = enrolment.enrol()
            self.registration.begin(schools)
            client = registration.find(CLIENT_ID)
            assert client is not None
            school = enrolled(client)
            db.session.remove()
            return school

    def end_guardianship(self, parent: Person, child: Person) -> None:
        """As a school ends it, at once; an application that wants to hear of it does."""
        with self.app.app_context():
            endings.end_guardianship(parent.id, child.id, "the robot's decision")
            worker.deliver_due()
            db.session.remove()

    def rotate_keys(self) -> None:
        """The keys that were announced sign from now on."""
        self.answers.keyring.rotate(force=True)

    @contextmanager
    def asking_for_consent(self) -> Iterator[None]:
        """The application is a third party's until the block ends."""
        before = self.registration.metadata["first_party"]
        self.registration.change(first_party=False)
        try:
            yield
        finally:
            self.registration.change(first_party=before)

    def last_refusal(self) -> str:
        """Why the application was refused last, in the provider's words; empty if it never was."""
        with self.app.app_context():
            newest = refusals.newest_refusals(CLIENT_ID, 1)
            words = [f"{each.endpoint}: {each.error}, {each.reason}" for each in newest]
            db.session.remove()
        return "".join(words)


@contextmanager
def running(
    *,
    port: int = PORT,
    issuer: str | None = None,
    metadata: dict[str, Any] | None = None,
) -> Iterator[TestProvider]:
    """The test provider, until the block ends; ``port`` 0 takes any that is free.

    ``issuer``: where applications reach it, if not at this port itself; ``metadata``: of the
    application's registration, where it is not to be learnt from what the application asks.
    """
    with TemporaryDirectory(prefix="idp-certify-") as folder:
        # The port first: the issuer that is made of it stands in every token
        server = _listening(port)
        settings = _settings(Path(folder), issuer or f"http://{HOST}:{server.port}")
        app = _prepared(settings)
        clients = Registration(app, metadata or {}, CLIENT_ID, _give_the_known_secret)
        answers = WrongAnswers(app, app.extensions["idp.keyring"], clients.learn)
        server.app = answers
        thread = Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield TestProvider(app, answers, clients)
        finally:
            server.shutdown()
            thread.join(10)
            server.server_close()
            with app.app_context():
                db.engine.dispose()


def _listening(port: int) -> BaseWSGIServer:
    if port:
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((HOST, port))
            except OSError:
                raise PortTaken from None
    return make_server(HOST, port, Flask("not yet"), threaded=True, request_handler=_Silent)


def _settings(folder: Path, issuer: str) -> Settings:
    made: dict[str, Any] = {
        name: Secret.of_text(secrets.token_urlsafe(48))
        for name in ("session_secret", "password_pepper", "token_hash_key", "subject_key")
    }
    return Settings(
        demo=True,
        issuer=issuer,
        database_url=DatabaseUrl(f"sqlite:///{folder / 'idp.db'}"),
        keys_folder=folder / "keys",
        history_file=folder / "history.json",
        spool_folder=folder / "spool",
        bcrypt_cost=4,
        mail_tls="none",
        outgoing_private_hosts=("127.0.0.1", "localhost"),
        access_token_lifetime=ACCESS_TOKEN_LIFETIME,
        platform_name="idp certify",
        log_level="CRITICAL",
        **made,
    )


def _prepared(settings: Settings) -> Flask:
    """The provider with its schema and its keys."""
    keys.Keyring(settings.keys_folder).ensure()
    app = create_app(settings)
    logging.getLogger("alembic").setLevel(logging.WARNING)
    with app.app_context():
        alembic.command.upgrade(migrations.configuration(), "head")
        db.session.remove()
    return app


def _give_the_known_secret() -> None:
    with transaction() as writes:
        known = keyed_hash("client secret", CLIENT_SECRET)
        writes.execute(update(Client).where(Client.id == CLIENT_ID).values(secret_hash=known))


class _Silent(WSGIRequestHandler):
    """Writes no access log between the lines of the report."""

    def log(self, type: str, message: str, *args: Any) -> None:
        """Say nothing."""
