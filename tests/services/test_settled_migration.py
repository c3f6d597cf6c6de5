"""What operators settled before there was a column for it stands in the audit log."""

from alembic import command
from flask.testing import FlaskClient

from idp.clients.models import Client
from idp.database import db, migrations
from tests.conformance.test_registration_management import Managed, narrowed


def test_what_operators_changed_before_the_upgrade_is_settled_by_it(client: FlaskClient) -> None:
    there, untouched = Managed(client), Managed(client)
    narrowed(there, client_name="Devoirs (privé)")
    narrowed(there, require_pushed_authorization_requests=True)
    there.put(client_name="École du Moulin")
    before = _settled(there)
    db.session.remove()

    command.downgrade(migrations.configuration(), "0043")
    command.upgrade(migrations.configuration(), "head")

    assert before
    assert _settled(there) == before
    assert _settled(untouched) is None


def _settled(there: Managed) -> object:
    return db.session.get_one(Client, there.made["client_id"], populate_existing=True).settled
