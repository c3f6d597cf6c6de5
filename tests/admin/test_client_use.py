"""How much an application was used, on both databases."""

from datetime import timedelta
from zoneinfo import ZoneInfo

import pytest
from flask import Flask

from idp import clock
from idp.database import transaction
from idp.desk.access.rights import AT_TERMINAL, staff_of
from idp.desk.applications import use as application_use
from idp.oidc.models import Grant
from idp.people import staff
from idp.sessions.models import BrowserSession
from tests import factories
from tests.relying_party import RelyingParty

pytestmark = pytest.mark.quick_on("sqlite")

ZONE = ZoneInfo("Europe/Brussels")


def test_sign_ins_are_counted_by_the_platforms_days(app: Flask) -> None:
    school = factories.school()
    portal = RelyingParty.of(school)
    parent, (child,) = factories.family(school, "Lina")
    midnight = clock.now().astimezone(ZONE).replace(hour=0, minute=0, second=0, microsecond=0)
    minute = timedelta(minutes=1)
    with transaction() as session:
        browser = BrowserSession(
            secret_hash="0" * 43, account_id=parent.id, auth_time=clock.now(), amr="pwd", acr="x",
            expires_at=clock.now(),
        )  # fmt: skip
        session.add(browser)
        session.flush()
        session.add_all(
            Grant(
                account_id=parent.id, client_id=portal.client_id, session_id=browser.id,
                child_id=child.id, scope="openid", auth_time=at, amr="pwd", acr="x", created_at=at,
            )
            for at in (
                midnight,
                midnight - minute,
                midnight - timedelta(days=1) + minute,
                midnight - timedelta(days=40),
            )
        )  # fmt: skip
    helper = factories.account("bureau")
    staff.grant(helper.id, "manager", school.id)
    manager = staff_of(helper.id)
    assert manager is not None

    for who in (AT_TERMINAL, manager):
        use = application_use.use_of(who, portal.client_id, ZONE)

        assert (use.guardians, use.sign_ins) == (1, 3)
        assert [day.sign_ins for day in use.days] == [1, 2]
        assert use.days[0].begins == midnight
