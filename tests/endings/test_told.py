"""What applications are told of beside what ends: nothing that runs out, and what opens again.

What each cause of the table tells, and whom, is compared in ``test_endings``.
"""

import pytest
from flask import Flask
from sqlalchemy import select

from idp import purge
from idp.database import db
from idp.lifecycle import endings
from idp.oidc.models import Grant
from tests.endings import everything
from tests.endings.telling import HEARS, last, told
from tests.times import later

pytestmark = pytest.mark.quick_on("sqlite")


def test_what_merely_runs_out_and_is_purged_is_told_to_nobody(app: Flask) -> None:
    everything.make(0, **HEARS)
    with later(days=400):
        purge.run(pause=0)
        assert db.session.scalars(select(Grant)).first() is None
    assert told() == []


def test_an_account_that_is_open_again_is_told_to_whom_it_was_closed_for(app: Flask) -> None:
    there = everything.make(0, **HEARS)
    endings.disable_account(there.claire.id)
    before = last()
    assert endings.enable_account(there.claire.id)
    opened = [(event, client, whose) for event, client, whose, *_ in told(before)]
    clients = (there.portal.client.id, there.other.client.id)
    expected_ = sorted(("account-enabled", each, there.claire.id) for each in clients)
    assert sorted(opened) == expected_
