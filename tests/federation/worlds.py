"""A parent's walks to a provider and back, with everything in between in the test's hands."""

from dataclasses import dataclass
from typing import Self
from urllib.parse import parse_qs, urlsplit

from flask import Flask
from sqlalchemy import select
from werkzeug.test import TestResponse

from idp.audit.models import AuditEvent
from idp.database import db, transaction
from idp.federation import links
from idp.federation.identity import ForeignIdentity
from idp.federation.models import FederatedLink
from idp.mail.models import OutboxMessage
from idp.people.models import Account, School
from tests import factories
from tests.federation.rogue import Rogue
from tests.relying_party import Browser, RelyingParty
from tests.web.places import element


@dataclass
class Walker:
    """A school with its portal, a parent of one child, their browser, and a provider."""

    app: Flask
    school: School
    portal: RelyingParty
    parent: Account
    browser: Browser
    provider: Rogue

    @classmethod
    def of(cls, app: Flask, provider: Rogue) -> Self:
        school = factories.school()
        parent, _ = factories.family(school, "Lina", username="claire", email="claire@example.org")
        portal = RelyingParty.of(school, client_uri="https://portal.example/")
        return cls(app, school, portal, parent, Browser(app.test_client()), provider)

    def another_browser(self) -> Browser:
        return Browser(self.app.test_client())

    def at_sign_in(self, **parameters: str | None) -> TestResponse:
        return self.browser.open(self.portal.authorize_path(**parameters))

    def leave(self, key: str = "google", browser: Browser | None = None) -> str:
        """Press a provider's button; the address to which the browser is sent."""
        page = (browser or self.browser).press(f"provider-{key}")
        return address_of(page)

    def walk(self, key: str = "google", **changes: str | None) -> TestResponse:
        """To the provider and back, from whichever page shows its button."""
        return self.browser.open(self.provider.answer(self.leave(key), **changes))

    def come_back(self, address: str, **changes: str | None) -> TestResponse:
        return self.browser.open(self.provider.answer(address, **changes))

    def linked(self, subject: str = "1001", account: Account | None = None) -> FederatedLink:
        """Link an identity at Google to an account, as if it had been done long ago."""
        return linked(account or self.parent, self.provider.address, subject)


def address_of(page: TestResponse) -> str:
    """Where the page of leaving sends the browser."""
    address = element(page, "provider-continue")["href"]
    assert address
    return address


def asked_of(address: str) -> dict[str, str]:
    """The parameters of an authorization request."""
    return {name: values[0] for name, values in parse_qs(urlsplit(address).query).items()}


def linked(
    account: Account, issuer: str, subject: str = "1001", provider: str = "google"
) -> FederatedLink:
    with transaction():
        links.make(account.id, ForeignIdentity(provider, issuer, subject))
    return links.of_account(account.id)[-1]


def links_of(account: Account) -> list[tuple[str, str]]:
    db.session.rollback()
    return [(each.provider, each.subject) for each in links.of_account(account.id)]


def mails() -> list[str]:
    """The kinds of what waits in the outbox, in order."""
    db.session.rollback()
    return list(db.session.scalars(select(OutboxMessage.kind).order_by(OutboxMessage.created_at)))


def events_named(*names: str) -> list[AuditEvent]:
    db.session.rollback()
    return list(
        db.session.scalars(
            select(AuditEvent).where(AuditEvent.event.in_(names)).order_by(AuditEvent.id)
        )
    )
