"""What consents of earlier releases become: each goes to the child that it was given for."""

import secrets
from datetime import datetime, timedelta

from alembic import command
from flask import Flask
from sqlalchemy import select, text

from idp import clock
from idp.clients.metadata import CHILD_FIELDS
from idp.database import db, migrations, transaction
from idp.oidc import consent
from idp.oidc.models import Consent, Grant
from idp.sessions.models import BrowserSession
from tests import factories
from tests.services.test_migrations import cut_short_at


def test_consents_from_before_cover_what_their_page_named(app: Flask) -> None:
    everything = [*CHILD_FIELDS]
    school = factories.school()
    registered = factories.client_app(school, first_party=False, child_fields=everything)
    client = registered.client
    with_child, (lina,) = factories.family(school, "Lina", username="claire")
    without = factories.account("paul")
    before(with_child.id, client.id, "child openid", " ".join(everything))
    before(without.id, client.id, "openid", "")
    db.session.remove()

    command.downgrade(migrations.configuration(), "0003")
    command.upgrade(migrations.configuration(), "head")

    kept = consent.allowed_now(with_child.id, client.id)
    assert kept is not None
    assert "class" in kept.children[lina.id]
    assert not {"relationship", "sourced_id"} & kept.children[lina.id]
    assert consent.allowed_now(without.id, client.id).children == {}  # type: ignore[union-attr]


def test_n3_consents_from_before_go_to_the_child_that_they_were_given_for(app: Flask) -> None:
    school = factories.school()
    client = factories.client_app(school, first_party=False).client
    own = factories.client_app(school, redirect_uris=["https://own.example/cb"]).client
    several, (lina, noe) = factories.family(school, "Lina", "Noé", username="claire")
    untold, (max_, _mia) = factories.family(school, "Max", "Mia", username="paul")
    one, (zoe,) = factories.family(school, "Zoé", username="nora")
    then = clock.now() - timedelta(days=3)
    for account in (several, untold, one):
        before(account.id, client.id, "child openid", "given_name sub", then)
    kept = granted(several.id, client.id, lina.id, then + timedelta(seconds=2))
    leaked = granted(several.id, client.id, noe.id, then + timedelta(days=1))
    unknown = granted(untold.id, client.id, max_.id, then + timedelta(days=1))
    ours = granted(untold.id, own.id, max_.id, then)
    db.session.remove()

    command.downgrade(migrations.configuration(), "0024")
    command.upgrade(migrations.configuration(), "head")

    fields = frozenset({"given_name", "sub"})
    assert consent.allowed_now(several.id, client.id).children == {lina.id: fields}  # type: ignore[union-attr]
    assert consent.allowed_now(untold.id, client.id).children == {}  # type: ignore[union-attr]
    assert consent.allowed_now(one.id, client.id).children == {zoe.id: fields}  # type: ignore[union-attr]
    ended = set(db.session.scalars(select(Grant.id).where(Grant.ended_at.is_not(None))))
    assert ended == {leaked, unknown}
    assert {kept, ours}.isdisjoint(ended)


def test_a_step_that_was_cut_short_keeps_each_consent_once_when_it_is_run_again(
    app: Flask,
) -> None:
    """Revision 0025 commits batch by batch; here its connection is lost behind the first one."""
    school = factories.school()
    client = factories.client_app(school, first_party=False).client
    several, (lina, noe) = factories.family(school, "Lina", "Noé", username="claire")
    then = clock.now() - timedelta(days=3)
    before(several.id, client.id, "child openid", "given_name sub", then)
    kept = granted(several.id, client.id, lina.id, then + timedelta(seconds=2))
    leaked = granted(several.id, client.id, noe.id, then + timedelta(days=1))
    db.session.remove()
    command.downgrade(migrations.configuration(), "0024")

    with cut_short_at("UPDATE grants SET ended_at"):
        command.upgrade(migrations.configuration(), "0025")
    with db.engine.connect() as now:
        assert now.scalar(text("SELECT version_num FROM alembic_version")) == "0024"
        assert now.scalar(text("SELECT count(*) FROM child_consents")) == 1, "of the first batch"
    command.upgrade(migrations.configuration(), "head")

    fields = frozenset({"given_name", "sub"})
    assert consent.allowed_now(several.id, client.id).children == {lina.id: fields}  # type: ignore[union-attr]
    ended = set(db.session.scalars(select(Grant.id).where(Grant.ended_at.is_not(None))))
    assert (leaked in ended, kept in ended) == (True, False)


def before(
    account_id: str, client_id: str, scope: str, fields: str, at: datetime | None = None
) -> None:
    """A consent as earlier releases kept it."""
    with transaction() as session:
        session.add(
            Consent(
                account_id=account_id,
                client_id=client_id,
                scope=scope,
                child_fields=fields,
                granted_at=at or clock.now(),
            )
        )


def granted(account_id: str, client_id: str, child_id: str, at: datetime) -> str:
    """The id of a grant that names this child."""
    with transaction() as session:
        signed_in = BrowserSession(
            account_id=account_id,
            secret_hash=secrets.token_urlsafe(32),
            auth_time=at,
            amr="pwd",
            acr="urn:x",
            expires_at=at,
        )
        session.add(signed_in)
        session.flush()
        grant = Grant(
            account_id=account_id,
            client_id=client_id,
            session_id=signed_in.id,
            child_id=child_id,
            scope="openid child",
            auth_time=at,
            amr="pwd",
            acr="urn:x",
            created_at=at,
        )
        session.add(grant)
        session.flush()
        return grant.id
