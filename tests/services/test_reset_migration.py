"""Requests to reset a second step wait side by side; the release before knew one for an account."""

import pytest
from alembic import command
from flask import Flask
from sqlalchemy import select

from idp.credentials.models import FactorReset
from idp.database import db, migrations, transaction
from idp.desk.access.acts import Act
from idp.desk.access.rights import SchoolScope, Staff
from idp.desk.people import reset_requests
from tests import factories


@pytest.mark.long
def test_of_several_requests_the_release_before_has_the_oldest(app: Flask) -> None:
    claire, other = factories.account("claire"), factories.account("other")
    askers = [factories.account(name) for name in ("first", "second")]
    for asker, whose in zip((*askers, askers[1]), (claire, claire, other), strict=True):
        with transaction():
            act = Act(staff=Staff(asker.id), school_scope=SchoolScope())
            reset_requests.add(act, whose.id)
    oldest, only = askers[0].id, other.id
    db.session.remove()

    command.downgrade(migrations.configuration(), "0034")
    command.upgrade(migrations.configuration(), "head")

    rows = db.session.scalars(select(FactorReset).order_by(FactorReset.asked_at)).all()
    assert [each.outcome for each in rows] == [None, "void", None]
    assert (rows[0].asked_by, rows[2].account_id) == (oldest, only)
