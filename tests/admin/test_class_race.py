"""A token for a whole class, clicked twice at once, on both databases."""

import threading

from sqlalchemy import func, select

from idp.database import db
from idp.desk.access.rights import AT_TERMINAL
from idp.desk.people import classes
from idp.mail.models import OutboxMessage
from tests.admin.places import Desk
from tests.admin.test_people_pages import invited


def test_two_clicks_at_once_send_one_mail_each(desk: Desk) -> None:
    for number in range(4):
        invited(desk, f"waits{number}", f"Kid{number}")
    school_id, counts = desk.here.id, []
    barrier = threading.Barrier(3, timeout=60)

    def click() -> None:
        with desk.app.app_context():
            barrier.wait()
            counts.append(classes.send_tokens(AT_TERMINAL, school_id, "3B"))
            db.session.remove()

    threads = [threading.Thread(target=click) for _ in range(3)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()

    assert counts == [4, 4, 4]
    count = select(func.count()).select_from(OutboxMessage)
    db.session.rollback()
    assert db.session.scalar(count) == 4
