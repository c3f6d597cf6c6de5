"""The data set: schools, guardians with a child each, applications, living sessions.

Inserted through the provider's models and services, in its own application context. All
guardians share one password, so that bcrypt runs once here and not a thousand times.
"""

import secrets
from dataclasses import dataclass

from alembic import command
from flask import Flask

from bench.plans import REDIRECT_URI, Target, Visitor
from idp.clients import registration
from idp.credentials import passwords
from idp.credentials.models import Password
from idp.database import db, migrations, transaction
from idp.oidc.keys import Keyring
from idp.people.models import Account, Child, Guardianship, School
from idp.sessions import service as sessions

ACR = "0"
SCHOOLS = 4


@dataclass(frozen=True)
class World:
    """Who visits, through which application."""

    target: Target
    residents: list[Visitor]
    """Guardians with a living session."""
    newcomers: list[Visitor]
    """Guardians who sign in with their password."""


def build(app: Flask, port: int, *, guardians: int, residents: int, applications: int) -> World:
    """Migrate the database, make signing keys, insert everybody."""
    with app.app_context():
        command.upgrade(migrations.configuration(), "head")
        Keyring(app.extensions["idp.settings"].keys_folder).ensure()
        password = secrets.token_urlsafe(12)
        schools = _schools()
        accounts = _families(schools, guardians, password)
        target = _applications(schools, applications, port)
        cookie = "__Host-idp_session" if target.issuer.startswith("https") else "idp_session"
        visitors = []
        with transaction():
            for account in accounts[:residents]:
                _, secret = sessions.begin(account.id, amr=("pwd",), acr=ACR, device="bench")
                visitors.append(Visitor(account.username, password, {cookie: secret}))
        _count_rows()
        newcomers = [Visitor(account.username, password) for account in accounts[residents:]]
        db.session.remove()
        return World(target, visitors, newcomers)


def _count_rows() -> None:
    """Tell PostgreSQL how the tables are filled, as autovacuum does within a minute."""
    with db.engine.connect() as connection:
        if connection.dialect.name == "postgresql":
            connection.exec_driver_sql("ANALYZE")


def _schools() -> list[School]:
    schools = [School(name=f"Bench school {number}") for number in range(SCHOOLS)]
    with transaction() as writes:
        writes.add_all(schools)
    return schools


def _families(schools: list[School], count: int, password: str) -> list[Account]:
    accounts = [
        Account(
            username=f"guardian{number:05}",
            username_key=f"guardian{number:05}",
            email=f"guardian{number:05}@bench.example",
            email_key=f"guardian{number:05}@bench.example",
            given_name="Claire",
            family_name=f"Bench{number:05}",
            status="active",
        )
        for number in range(count)
    ]
    with transaction() as writes:
        writes.add_all(accounts)
        writes.flush()
        passwords.set_password(accounts[0].id, password)
        writes.flush()
        row = writes.get(Password, accounts[0].id)
        writes.add_all(Password(account_id=each.id, hash=row.hash) for each in accounts[1:])
        children = [
            Child(school_id=schools[0].id, given_name="Lina", family_name=each.family_name)
            for each in accounts
        ]
        writes.add_all(children)
        writes.flush()
        writes.add_all(
            Guardianship(account_id=account.id, child_id=child.id)
            for account, child in zip(accounts, children, strict=True)
        )
    return accounts


def _applications(schools: list[School], count: int, port: int) -> Target:
    made = [
        registration.register(
            {
                "client_name": f"Bench application {number}",
                "redirect_uris": [REDIRECT_URI],
                "scope": "openid child offline_access",
                "grant_types": ["authorization_code", "refresh_token"],
                "token_endpoint_auth_method": "client_secret_basic",
                "first_party": True,
            },
            school_ids=[schools[number % SCHOOLS].id],
        )
        for number in range(count)
    ]
    first = made[0]
    assert first.secret is not None
    return Target(port, first.client.id, first.secret)
