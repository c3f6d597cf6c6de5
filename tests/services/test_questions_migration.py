"""A question that ended unanswered is over for the release before, which knows no such answer."""

from alembic import command
from sqlalchemy import select

from idp.database import db, migrations, transaction
from idp.lifecycle import endings, link_requests
from idp.people.link_models import LinkRequest
from tests import factories


def test_what_ended_unanswered_is_over_before_the_upgrade_and_after_it(app: object) -> None:
    school = factories.school()
    claire, _children = factories.family(school, "Lina")
    with transaction():
        for name in ("Tom", "Ada"):
            link_requests.request_link(claire.id, factories.child(school, name), "parent")
            if name == "Tom":
                endings.end_questions(claire.id, [school.id])
    assert _answers() == {"ended", None}

    command.downgrade(migrations.configuration(), "0055")
    assert _answers() == {"no", None}
    command.upgrade(migrations.configuration(), "head")

    with transaction():
        assert endings.end_questions(claire.id, [school.id]) == 1
    assert _answers() == {"no", "ended"}


def _answers() -> set[str | None]:
    db.session.remove()
    return set(db.session.scalars(select(LinkRequest.answer)))
