"""What Prometheus is told of the database is ten seconds old at most, whoever changed it."""

import pytest
from flask import Flask

from idp import create_app
from idp.database import db
from idp.doctor import measured
from idp.mail import outbox
from idp.settings import Settings
from tests import factories


def waiting(state: measured.State) -> float:
    (count,) = (
        each.value
        for each in state.samples()
        if (each.name, each.labels) == ("idp_waiting", (("what", "mails"),))
    )
    return count


@pytest.mark.changed_elsewhere("doctor/measured.py")
def test_a_mail_that_another_worker_queues_is_counted_within_ten_seconds(
    app: Flask, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    claire, state = factories.account("claire", email="c@d.example"), measured.State()
    assert waiting(state) == 0
    with create_app(settings).app_context():
        outbox.enqueue("invitation", account_id=claire.id)
        db.session.remove()
        db.engine.dispose()
    assert waiting(state) == 0, "two that ask cost what one does"
    now = measured.monotonic() + measured.KEPT_FOR
    monkeypatch.setattr(measured, "monotonic", lambda: now)
    assert waiting(state) == 1
