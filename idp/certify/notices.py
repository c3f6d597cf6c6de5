"""What the application is told: signed as ever, of what happened or of nothing at all.

The robot posts it itself, in place of the worker of ``idp.deliveries``: what it has sent it can
send once more.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

import requests
from flask import Flask
from sqlalchemy import select

from idp import clock
from idp.certify.robot import Unreachable
from idp.certify.school import Person
from idp.clients import registration
from idp.clients.models import Client
from idp.database import db
from idp.deliveries import queue, settling, tokens
from idp.deliveries.models import EventDelivery
from idp.lifecycle import endings
from idp.oidc.models import Grant
from idp.people import linking
from idp.people.models import Account, Child

TIMEOUT: Final = 10


@dataclass(frozen=True)
class Kind:
    """A way in which applications are told: the field of the registration that says where, and
    the option of the command.
    """

    field: str
    option: str
    called: str


LOGOUT: Final = Kind("backchannel_logout_uri", "--back-channel-logout", "logout token")
EVENT: Final = Kind("security_events_uri", "--security-events", "security event")


class Notices:
    """Logout tokens and security events for one application."""

    def __init__(self, app: Flask, client_id: str) -> None:
        self._app = app
        self._client_id = client_id

    def of_session(self, parent: Person) -> str:
        """A logout token of the session of the newest sign-in, which has not ended."""
        with self._client() as client:
            row = EventDelivery(event="logout", session_id=self._session_of(parent))
            return tokens.logout_token(row, client, _account(parent))

    def of_guardianship(self, parent: Person, child: Person) -> str:
        """A security event of a guardianship that has not ended, or never was one."""
        with self._client() as client:
            row = EventDelivery(
                id=0,
                event="guardianship-ended",
                client_id=client.id,
                created_at=clock.now(),
            )
            there = db.session.get(Child, child.id)
            return tokens.security_event(row, client, _account(parent), there)

    def ending_session(self, parent: Person) -> str:
        """End the session of the newest sign-in; the logout token that is due, unsent."""
        with self._client() as client:
            endings.end_session(parent.id, self._session_of(parent))
            return self._due("logout", client)

    def ending_guardianship(self, parent: Person, child: Person) -> str:
        """End a guardianship; the security event that is due, unsent."""
        with self._client() as client:
            endings.end_guardianship(parent.id, child.id, "the robot's decision")
            return self._due("guardianship-ended", client)

    def link_again(self, parent: Person, child: Person) -> None:
        """The school has changed its mind."""
        with self._client():
            linking.link_guardian(parent.id, child.id)

    @contextmanager
    def _client(self) -> Iterator[Client]:
        with self._app.app_context():
            try:
                yield registration.get_client(self._client_id)
            finally:
                db.session.remove()

    def _session_of(self, parent: Person) -> str:
        newest = (
            select(Grant.session_id)
            .where(Grant.account_id == parent.id, Grant.client_id == self._client_id)
            .order_by(Grant.created_at.desc())
            .limit(1)
        )
        return db.session.scalars(newest).one()

    def _due(self, event: str, client: Client) -> str:
        """The token of the only delivery of this kind; the worker has nothing left to send."""
        claimed = queue.claim(client.id)
        settling.mark_delivered(claimed, "by the robot")
        (one,) = (each for each in claimed if each.row.event == event)
        if tokens.is_logout(one.row):
            return tokens.logout_token(one.row, client, one.account)
        return tokens.security_event(one.row, client, one.account, one.child)


def send(kind: Kind, address: str, token: str) -> int:
    """Tell the application as the worker does; the status of its answer.

    Raises ``Unreachable`` where there is none.
    """
    content_type, body = "application/secevent+jwt", token
    if kind is LOGOUT:
        content_type, body = "application/x-www-form-urlencoded", f"logout_token={token}"
    with requests.Session() as session:
        session.trust_env = False
        try:
            answer = session.post(
                address,
                data=body,
                headers={"Content-Type": content_type},
                timeout=TIMEOUT,
                allow_redirects=False,
            )
        except requests.RequestException as error:
            raise Unreachable(f"{address} does not answer ({type(error).__name__})") from error
    return answer.status_code


def _account(parent: Person) -> Account:
    return db.session.get_one(Account, parent.id)
