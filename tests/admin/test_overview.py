"""The overview of the desk: whom they count, whom they show, and how they are drawn."""

import re
from datetime import UTC, datetime, timedelta
from xml.etree import ElementTree as ET

import pytest
import time_machine

from idp import clock
from idp.audit import events
from idp.clients import registration
from idp.credentials import one_time_tokens
from idp.database import transaction
from idp.desk.access import rights as desk_staff
from idp.desk.access.rights import AT_TERMINAL, Staff
from idp.desk.overview import expiring, traffic
from idp.desk.overview import onboarding as overview
from idp.desk.printed_letters import service as printed_letters
from idp.errors import NotFound
from idp.lifecycle import endings
from idp.lifecycle.mails import requests as mail_requests
from idp.mail import outbox
from idp.people.models import Account
from idp.web.admin import charts
from tests import factories
from tests.admin.places import Desk
from tests.parallel import Queries
from tests.wording import words

pytestmark = pytest.mark.quick_on("postgresql")

on_sqlite = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


def of(desk: Desk, who: str) -> Staff:
    found = desk_staff.staff_of(desk.staff(who).id)
    assert found is not None
    return found


def steps(desk: Desk) -> dict[str, int]:
    total = overview.by_class(AT_TERMINAL, desk.here.id).total
    return dict(zip(overview.STEPS, total.counts, strict=True))


def invited(desk: Desk, **account: str) -> Account:
    return factories.family(desk.here, "Lina", status="invited", **account)[0]


def visit(account: Account, client_id: str, child_id: str | None = None) -> None:
    events.record("grant_made", account_id=account.id, client_id=client_id, child_id=child_id)


class TestFunnel:
    def test_each_guardian_counts_as_far_as_they_came(self, desk: Desk) -> None:
        portal = factories.client_app(desk.here).client
        invited(desk)
        queued = invited(desk, email="a@example.org")
        mail_requests.invite(queued.id)
        mailed = invited(desk, email="b@example.org")
        outbox.sent(mail_requests.invite(mailed.id))
        printed_letters.print_letter(AT_TERMINAL, invited(desk).id)
        opened = one_time_tokens.find(mail_requests.issue_letter_token(invited(desk).id))
        assert isinstance(opened, one_time_tokens.Live)
        one_time_tokens.note_opened(opened.token.id)
        factories.family(desk.here, "Lina")
        visitor, (child,) = factories.family(desk.here, "Lina")
        visit(visitor, portal.id, child.id)

        assert steps(desk) == {
            "guardians": 7,
            "invited": 6,
            "sent": 5,
            "opened": 3,
            "password": 2,
            "visited": 1,
        }

    def test_only_guardians_live_at_the_school_count(self, desk: Desk) -> None:
        parent, (child,) = factories.family(desk.here, "Lina")
        endings.end_guardianship(parent.id, child.id, "court")
        _, (left,) = factories.family(desk.here, "Noé")
        factories.family(desk.here, "Mia", status="disabled")
        factories.family(desk.elsewhere, "Tom")
        with transaction():
            left.left_at = clock.now()

        assert steps(desk)["guardians"] == 0

    def test_a_guardian_of_two_classes_counts_in_both_and_once_in_all(self, desk: Desk) -> None:
        parent, _ = factories.family(desk.here, "Lina", "Mia")
        factories.guardianship(parent, factories.child(desk.here, "Noé", class_name="5A"))

        found = overview.by_class(AT_TERMINAL, desk.here.id)

        assert [(row.name, row.counts[0]) for row in found.rows] == [("3B", 1), ("5A", 1)]
        assert found.total.counts[0] == 1

    def test_c3_what_a_guardian_does_elsewhere_is_no_visit_here(self, desk: Desk) -> None:
        parent, _ = factories.family(desk.here, "Lina")
        tom = factories.child(desk.elsewhere, "Tom")
        factories.guardianship(parent, tom)
        visit(parent, factories.client_app(desk.elsewhere).client.id, tom.id)
        shared = factories.client_app(desk.here, desk.elsewhere).client.id
        visit(parent, shared, tom.id)
        assert steps(desk)["visited"] == 0
        visited = {row.id: row.counts[-1] for row in overview.by_school(AT_TERMINAL).rows}
        assert visited == {desk.here.id: 0, desk.elsewhere.id: 1}

        visit(parent, shared)
        assert steps(desk)["visited"] == 1

    def test_c3_a_letter_of_another_school_was_not_sent_here(self, desk: Desk) -> None:
        parent = invited(desk)
        factories.guardianship(parent, factories.child(desk.elsewhere, "Tom"))
        printed_letters.print_class(AT_TERMINAL, desk.elsewhere.id, None)
        assert (steps(desk)["invited"], steps(desk)["sent"]) == (0, 0)
        sent = {row.id: row.counts[2] for row in overview.by_school(AT_TERMINAL).rows}
        assert sent == {desk.here.id: 0, desk.elsewhere.id: 1}

    def test_a2_a_school_outside_the_reach_is_not_found(self, desk: Desk) -> None:
        with pytest.raises(NotFound):
            overview.by_class(of(desk, "stranger"), desk.here.id)
        assert [row.id for row in overview.by_school(of(desk, "stranger")).rows] == [
            desk.elsewhere.id
        ]

    def test_schools_are_counted_by_a_few_statements(self, desk: Desk) -> None:
        factories.family(desk.here, "Lina", "Mia")
        factories.family(desk.elsewhere, "Tom", status="invited")
        with Queries() as sent:
            found = overview.by_school(AT_TERMINAL)
        counts = {row.name: row.counts for row in found.rows}
        assert counts == {
            "Athénée du Parc": (1, 0, 0, 0, 0, 0),
            "Collège des Tilleuls": (1, 1, 1, 1, 1, 0),
        }
        assert found.total.counts == (2, 1, 1, 1, 1, 0)
        assert len(sent) == 2


class TestTraffic:
    def test_sign_ins_are_counted_by_the_hour_of_the_clock_on_the_wall(self, desk: Desk) -> None:
        parent, _ = factories.family(desk.here, "Lina")
        other, _ = factories.family(desk.elsewhere, "Tom")
        now = datetime(2026, 3, 30, 10, 30, tzinfo=UTC)  # the day after the clocks went forward
        for at, account in (
            (now, parent),
            (now - timedelta(days=2), parent),
            (now - timedelta(days=8), parent),
            (now, other),
        ):
            with time_machine.travel(at, tick=False):
                events.record("sign_in", account_id=account.id)

        with time_machine.travel(now, tick=False):
            here = traffic.sign_ins(AT_TERMINAL, desk.here.id)
            everywhere = traffic.sign_ins(AT_TERMINAL)

        assert (here.week[12], here.week[11], sum(here.week)) == (1, 1, 2)
        assert (here.day[12], sum(here.day)) == (1, 1)
        assert sum(everywhere.week) == 3

    def test_mails_that_do_not_arrive_are_counted_by_reason(self, desk: Desk) -> None:
        answers = (
            "550 5.1.1 unknown",
            "552 full",
            "554 5.7.1 spam",
            "500 what",
            "550 No such user",
        )
        for answer in answers:
            message = outbox.enqueue("invitation", account_id=invited(desk).id)
            outbox.refused(message, answer)
        outbox.put_back(outbox.enqueue("invitation", account_id=invited(desk).id), "451 greylisted")
        outbox.enqueue("invitation", account_id=invited(desk).id)  # will be sent in a moment
        elsewhere, _ = factories.family(desk.elsewhere, "Tom")
        outbox.refused(outbox.enqueue("invitation", account_id=elsewhere.id), "550 5.1.1")

        found = traffic.mail_trouble(of(desk, "manager"), desk.here.id)

        assert found == {
            "unknown_address": 2,
            "mailbox_full": 1,
            "unwanted": 1,
            "refused": 1,
            "retried": 1,
        }
        with time_machine.travel(clock.now() + timedelta(minutes=30)):
            assert traffic.mail_trouble(AT_TERMINAL)["stuck"] == 1


class TestExpiring:
    def test_tokens_of_the_schools_guardians_that_expire_in_three_days(self, desk: Desk) -> None:
        mailed = invited(desk)
        one_time_tokens.mint(mailed.id, "first_sign_in", outbox_id="m_1")
        printed_letters.print_letter(AT_TERMINAL, invited(desk).id)
        factories.guardianship(mailed, factories.child(desk.elsewhere, "Tom"))
        stranger, manager = of(desk, "stranger"), of(desk, "manager")
        with time_machine.travel(clock.now() + timedelta(days=12)):
            assert expiring.tokens_expiring(manager, desk.here.id) == 2
            assert expiring.tokens_expiring(stranger, desk.elsewhere.id) == 1
            assert expiring.tokens_expiring(stranger, desk.here.id) == 0
        assert expiring.tokens_expiring(AT_TERMINAL) == 0

    def test_former_secrets_are_those_of_the_schools_applications(self, desk: Desk) -> None:
        ours, theirs = factories.client_app(desk.here), factories.client_app(desk.elsewhere)
        for each in (ours, theirs):
            registration.rotate_secret(each.client.id, overlap=timedelta(days=2))

        found = expiring.former_secrets(of(desk, "manager"))

        assert [each.client_id for each in found] == [ours.client.id]
        assert not expiring.former_secrets(of(desk, "manager"), desk.elsewhere.id)
        assert len(expiring.former_secrets(AT_TERMINAL)) == 2

    def test_signing_keys_are_for_operators_and_grow_old(self, desk: Desk) -> None:
        assert not expiring.signing_keys(of(desk, "manager"))
        operator = of(desk, "operator")
        assert not any(key.due for key in expiring.signing_keys(operator))
        with time_machine.travel(clock.now() + timedelta(days=366)):
            due = {key.state for key in expiring.signing_keys(operator) if key.due}
        assert due == {"current"}


@on_sqlite
class TestPage:
    def test_a_helper_begins_at_the_search_and_a_manager_at_the_overview(self, desk: Desk) -> None:
        helper = desk.browser("helper")
        assert helper.open("/admin/").request.path == "/admin/people"
        assert not helper.shows("desk-start")
        manager = desk.browser("manager")
        manager.open("/admin/")
        assert manager.shows("funnel-picture")
        assert not manager.shows("keys-table")
        assert not manager.shows("figures-school")

    def test_a2_another_schools_overview_is_not_found(self, desk: Desk) -> None:
        stranger = desk.browser("stranger")
        other = stranger.open(f"/admin/?school={desk.here.id}")
        assert other.status_code == stranger.open("/admin/?school=s_x").status_code == 404
        assert desk.here.name not in stranger.open("/admin/").text

    @pytest.mark.parametrize("page", ["0", "-1", "2", "x", "1'", "99999"])
    def test_a7_a_page_that_is_none_is_not_found(self, desk: Desk, page: str) -> None:
        assert desk.browser("manager").open(f"/admin/?page={page}").status_code == 404

    def test_an_operator_chooses_a_school_and_turns_pages(self, desk: Desk) -> None:
        parent, _ = factories.family(desk.here, "Lina")
        for number in range(26):
            pupil = factories.child(desk.here, "Lina", class_name=f"K{number:02}")
            factories.guardianship(parent, pupil)
        operator = desk.browser("operator")
        operator.open("/admin/")
        assert operator.shows("keys-table")
        page = operator.open(f"/admin/?school={desk.here.id}&page=2")
        assert "K24" in words(page.text)
        assert "K23" not in words(page.text)
        assert operator.shows("figures-before")

    def test_pictures_have_a_name_a_sentence_and_their_numbers_in_a_table(self, desk: Desk) -> None:
        factories.family(desk.here, "Lina")
        page = desk.browser("manager").open("/admin/").text

        pictures = re.findall(r"<svg id=.*?</svg>", page, re.DOTALL)
        assert len(pictures) == 4
        for picture in pictures:
            tree = ET.fromstring(picture)
            ids = {each.get("id"): (each.text or "").strip() for each in tree.iter()}
            assert tree.get("role") == "img"
            assert all(ids[name] for name in (tree.get("aria-labelledby") or "").split())
            assert "style" not in picture
        for table in ("funnel-table", "rows-table", "hours-table"):
            assert f'id="{table}"' in page

    def test_the_pieces_of_a_bar_fill_it(self, desk: Desk) -> None:
        (line,) = charts.lines([overview.Row("3B", "3B", (7, 6, 5, 3, 2, 1))])
        assert [bar.value for bar in line.bars] == [1, 1, 1, 2, 1, 1]
        assert round(sum(bar.width for bar in line.bars)) == charts.WIDTH
        (none,) = charts.lines([overview.Row("3B", "3B", (0, 0, 0, 0, 0, 0))])
        assert none.bars == ()
