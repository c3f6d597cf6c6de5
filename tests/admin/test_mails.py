"""What became of mails: who sees which, in which words, and who may send one again."""

import re
from threading import Barrier, Thread

import pytest
from flask import Flask

from idp.database import db, transaction
from idp.desk import mail as mails
from idp.desk.access import rights as staff
from idp.desk.access.rights import AT_TERMINAL
from idp.errors import Conflict, NotFound
from idp.lifecycle import endings
from idp.lifecycle.mails import tokens as token_mails
from idp.mail import answers, delivery, outbox
from idp.mail.kinds import FOR_SCHOOLS, KINDS
from idp.people.models import Account
from idp.web.admin.mail_words import REASONS
from tests import factories
from tests.admin.places import Desk, desk_of
from tests.admin.test_schools import changes_of
from tests.admin.walks.mails import mail
from tests.times import later

pytestmark = pytest.mark.quick_on("postgresql")

on_sqlite = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


def invited(desk: Desk, username: str = "claire") -> Account:
    parent, _ = factories.family(
        desk.here, "Lina", username=username, status="invited", email=f"{username}@x.example"
    )
    return parent


def table_of(page: str, name: str) -> str:
    return page.partition(f'id="{name}"')[2].partition("</table>")[0]


def seen(desk: Desk, who: str, **how: str) -> list[str]:
    db.session.rollback()
    found = staff.staff_of(desk.staff(who).id)
    assert found is not None
    return [each.message.id for each in mails.page(found, **how).mails]


class TestScope:
    """Both databases: the conditions reach into JSON."""

    def test_a2_a_school_sees_the_mails_to_its_own_parents(self, app: Flask) -> None:
        desk = desk_of(app)
        made = mail(invited(desk), fate="sent", answer=None)

        assert seen(desk, "manager") == seen(desk, "helper") == seen(desk, "operator") == [made.id]
        assert seen(desk, "stranger") == []

    def test_c3_what_another_schools_application_asked_for_does_not_exist(self, app: Flask) -> None:
        desk = desk_of(app)
        parent = invited(desk)
        factories.guardianship(parent, factories.child(desk.elsewhere, "Noé"))
        ours = factories.client_app(desk.here).client.id
        theirs = factories.client_app(desk.elsewhere).client.id
        both = factories.client_app(desk.here, desk.elsewhere).client.id
        made = {
            name: mail(parent, fate="sent", answer=None, client_id=name).id
            for name in (ours, theirs, both)
        }

        assert set(seen(desk, "manager")) == {made[ours], made[both]}
        assert set(seen(desk, "stranger")) == {made[theirs], made[both]}

    def test_c3_mails_from_before_the_child_came_are_another_schools(self, app: Flask) -> None:
        desk = desk_of(app)
        parent = invited(desk)
        before = mail(parent, fate="sent", answer=None)
        with later(days=1):
            factories.guardianship(parent, factories.child(desk.elsewhere, "Noé"))
            after = mail(parent, fate="sent", answer=None)

        assert seen(desk, "manager") == [after.id, before.id]
        assert seen(desk, "stranger") == [after.id]

    def test_c3_devices_and_links_are_the_parents_own(self, app: Flask) -> None:
        desk = desk_of(app)
        parent = invited(desk)
        for kind in token_mails.COMPOSERS.keys() - set(FOR_SCHOOLS) | {"new_device"}:
            mail(parent, kind, fate="sent", answer=None)

        assert seen(desk, "manager") == []
        assert len(seen(desk, "operator")) > 5

    @on_sqlite
    def test_every_kind_has_words_of_its_own_on_the_persons_page(self, desk: Desk) -> None:
        parent = invited(desk)
        assert delivery.composers.keys() == KINDS.keys()
        browser, words = desk.browser("operator"), dict[str, set[str]]()
        for kind in KINDS:
            made = mail(parent, kind, fate="sent", answer=None)
            page = browser.open(f"/admin/people/{parent.id}").text
            (row,) = re.findall(r'<th scope="row">([^<]+)</th>', table_of(page, "person-mails"))
            words.setdefault(row, set()).add(kind)
            with transaction() as writes:
                writes.delete(made)

        assert "Notice about the account" not in words
        assert [kinds for kinds in words.values() if len(kinds) > 1] == [
            {"account_merged_away", "accounts_merged"},
            {"passkey_removed", "passkeys_removed_at_claim"},
            {"app_undone", "passkey_undone", "link_undone"},
        ]
        assert {"role_given"} in words.values()
        assert {"specimen"} in words.values()

    @on_sqlite
    def test_whoever_left_is_seen_no_more(self, desk: Desk) -> None:
        parent, (child,) = factories.family(desk.here, "Lina", email="c@x.example")
        mail(parent, fate="sent", answer=None)
        assert len(seen(desk, "manager")) == 1

        endings.end_guardianship(parent.id, child.id, "moved")

        assert seen(desk, "manager") == []

    def test_pages_follow_each_other_without_gap_or_repetition(
        self, app: Flask, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        desk = desk_of(app)
        parent = invited(desk)
        monkeypatch.setattr(mails, "AT_ONCE", 3)
        made = [mail(parent, fate="sent", answer=None) for _ in range(5)]
        same = made[0].created_at
        with transaction():
            for each in made:
                each.created_at = same  # at the same instant: the id decides

        first = mails.page(AT_TERMINAL)
        second = mails.page(AT_TERMINAL, before=first.older)

        got = [each.message.id for each in (*first.mails, *second.mails)]
        assert got == sorted((each.id for each in made), reverse=True)
        assert second.older is None

    @on_sqlite
    def test_a2_a_page_can_not_begin_at_a_mail_of_others(self, desk: Desk) -> None:
        mine, theirs = invited(desk), factories.account("paul", email="p@x.example")
        mail(mine, fate="sent", answer=None)
        foreign = mail(theirs, fate="sent", answer=None)

        assert seen(desk, "manager", before=foreign.id) == seen(desk, "manager", before="m_x") == []


@on_sqlite
class TestOnThePage:
    def test_a_fate_is_told_in_words_with_what_to_do(self, desk: Desk) -> None:
        mail(invited(desk), fate="refused", answer="552 5.2.2 mailbox over quota")

        page = desk.browser("helper").open("/admin/mails?fate=refused")

        assert "La boîte du parent est pleine." in page.text
        assert "552 5.2.2" in page.text
        assert "over quota" not in page.text

    @pytest.mark.parametrize(
        "query", ["fate=x", "fate=sent'--", "before=%27", "before=" + "x" * 65]
    )
    def test_a7_other_parameters_are_refused(self, desk: Desk, query: str) -> None:
        assert desk.browser("manager").client.get(f"/admin/mails?{query}").status_code == 400

    def test_the_fates_part_the_mails(self, desk: Desk) -> None:
        parent = invited(desk)
        made = {fate: mail(parent, fate=fate, answer=None).id for fate in mails.FATES}

        assert {fate: seen(desk, "manager", fate=fate) for fate in made} == {
            fate: [mail_id] for fate, mail_id in made.items()
        }

    def test_a_reset_that_somebody_asked_for_is_found_once_it_is_written(self, desk: Desk) -> None:
        parent, _ = factories.family(desk.here, "Lina", email="c@x.example")
        with transaction():
            message = outbox.enqueue("password_reset", about={"email": "c@x.example"})
            token_mails.password_reset(message)

        assert seen(desk, "manager") == [message.id]
        assert message.account_id == parent.id


class TestSendingAgain:
    @on_sqlite
    def test_a_refused_invitation_goes_out_again(self, desk: Desk) -> None:
        refused = mail(invited(desk), fate="refused", answer="550 5.1.1 unknown")
        helper = desk.browser("helper")
        helper.open("/admin/mails")

        helper.press(f"again-{refused.id}")

        db.session.rollback()
        (queued,) = outbox.list_messages(status="queued")
        assert (queued.kind, queued.account_id) == ("invitation", refused.account_id)
        (noted,) = changes_of(desk.here, "mail_asked_again")
        assert noted["outbox_id"] == queued.id

    @on_sqlite
    def test_a_second_click_finds_that_one_waits(self, desk: Desk) -> None:
        refused = mail(invited(desk), fate="refused", answer="550 5.1.1 unknown")
        mails.send_again(AT_TERMINAL, refused.id)

        with pytest.raises(Conflict, match="invitation_waits"):
            mails.send_again(AT_TERMINAL, refused.id)

    @on_sqlite
    def test_no_other_mail_does(self, desk: Desk) -> None:
        parent = invited(desk)
        for fate in ("queued", "sent", "dropped"):
            with pytest.raises(NotFound):
                mails.send_again(AT_TERMINAL, mail(parent, fate=fate, answer=None).id)

    @on_sqlite
    def test_a2_nor_one_of_another_schools_parents(self, desk: Desk) -> None:
        refused = mail(invited(desk), fate="refused", answer="550 5.1.1 unknown")
        stranger = desk.browser("stranger")
        page = stranger.open("/admin/mails")
        token = page.text.split('name="csrf_token" value="')[1].split('"')[0]

        answer = stranger.client.post(
            f"/admin/mails/{refused.id}/again", data={"csrf_token": token}
        )

        assert answer.status_code == 404
        db.session.rollback()
        assert outbox.list_messages(status="queued") == []

    @on_sqlite
    def test_whoever_signed_in_by_now_gets_none(self, desk: Desk) -> None:
        parent = invited(desk)
        refused = mail(parent, fate="refused", answer="550 5.1.1 unknown")
        manager = desk.browser("manager")
        manager.open("/admin/mails")
        with transaction():
            db.session.get(Account, parent.id).status = "active"  # type: ignore[union-attr]

        page = manager.press(f"again-{refused.id}")

        assert "s'est connecté entre-temps" in page.text.replace("&#39;", "'")
        assert not page.text.count('id="again-')

    def test_of_two_at_the_very_same_time_one_is_queued(self, app: Flask) -> None:
        desk = desk_of(app)
        refused = mail(invited(desk), fate="refused", answer="550 5.1.1 unknown").id
        start, outcomes = Barrier(2, timeout=60), []

        def again() -> None:
            with app.app_context():
                start.wait()
                try:
                    mails.send_again(AT_TERMINAL, refused)
                    outcomes.append("queued")
                except Conflict:
                    outcomes.append("waiting")

        threads = [Thread(target=again) for _ in range(2)]
        for each in threads:
            each.start()
        for each in threads:
            each.join()

        assert sorted(outcomes) == ["queued", "waiting"]


class TestAnswers:
    @pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
    def test_every_meaning_has_words(self, app: Flask) -> None:
        assert set(answers.MEANINGS) == REASONS.keys()

    @pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
    def test_a_mail_that_is_dropped_for_a_restored_database_says_so(self, app: Flask) -> None:
        with transaction():
            fresh, tried = (outbox.enqueue("password_reset") for _ in range(2))
        outbox.put_back(tried, "450 4.2.0 grey-listed")
        with transaction():
            assert outbox.drop(answers.RESTORED) == 2
        db.session.expire_all()
        assert {fresh.meaning, tried.meaning} == {"restored"}
        assert {fresh.answer, tried.answer} == {answers.RESTORED}

    @pytest.mark.parametrize(
        ("answer", "meaning", "code"),
        [
            (
                "550 5.1.1 <…>: Recipient address rejected: User unknown",
                "unknown_address",
                "550 5.1.1",
            ),
            ("550 Requested action not taken", "unknown_address", "550"),
            ("550 5.1.2 host", "unknown_domain", "550 5.1.2"),
            ("556 5.1.10 nullMX", "unknown_domain", "556 5.1.10"),
            ("552 5.2.2 over quota", "mailbox_full", "552 5.2.2"),
            ("452 4.2.2 The email account is over quota", "mailbox_full", "452 4.2.2"),
            ("550 5.2.1 disabled", "mailbox_off", "550 5.2.1"),
            ("550 5.7.1 spam", "unwanted", "550 5.7.1"),
            ("554 Transaction failed", "unwanted", "554"),
            ("451 4.7.1 Greylisted, try again in 300 seconds", "too_often", "451 4.7.1"),
            ("450 4.2.0 busy", "later", "450 4.2.0"),
            ("421 closing", "later", "421"),
            (
                "550 5.4.1 Recipient address rejected: Access denied",
                "unknown_address",
                "550 5.4.1",
            ),
            ("550 5.4.1 no answer from host", "refused", "550 5.4.1"),
            ("550 5.7.1 user unknown", "unknown_address", "550 5.7.1"),
            ("599 5.9.9 what", "refused", "599 5.9.9"),
            ("given up after 90 attempts: 450 4.2.0 busy", "given_up", "450 4.2.0"),
            ("given up after 90 attempts: 452 4.2.2 quota", "mailbox_full", "452 4.2.2"),
            ("SMTPConnectError 421", "server_away", ""),
            ("ConnectionRefusedError", "server_away", ""),
            ("the connection broke: TimeoutError", "server_away", ""),
            ("sender refused, 553", "server_away", ""),
            ("not an address that SMTP can carry", "no_address", ""),
            ("too many for one address in an hour", "limited", ""),
            ("nobody to write to", "nobody", ""),
            ("can't be written: KeyError", "ours", ""),
        ],
    )
    def test_an_answer_means(self, answer: str, meaning: str, code: str) -> None:
        assert (answers.meaning(answer), answers.code(answer)) == (meaning, code)
