"""What ends with what, from outside: somebody has everything, an act is done, and what lives on is
compared with the table – in both directions, for one and for many. What applications are told of
it is compared with what has ended.
"""

import re

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select

from idp import correlation
from idp.audit.models import AuditEvent
from idp.credentials import throttling
from idp.database import Base, db, transaction
from idp.lifecycle import (
    endings,
    factor_changes,
    federation,
    passwords,
)
from idp.lifecycle.endings import Cause, Thing
from idp.lifecycle.endings_sets import _TABLES
from idp.lifecycle.endings_table import ENDINGS, By
from idp.people.models import Guardianship
from tests import factories
from tests.endings import everything
from tests.endings.acts_on_access import ACTS
from tests.endings.acts_on_accounts import NEW, About, Act
from tests.endings.everything import Everything, Kept
from tests.endings.telling import HEARS, Told, last, told
from tests.endings.telling import expected as to_be_told
from tests.parallel import at_once
from tests.web.test_translations import ROOT


def ends(kept: Kept, by: By, there: Everything, about: About) -> bool:
    """Whether the table says that this one ends; told once more, without a query."""
    theirs = kept.owner == there.claire.id or about.both
    here = kept.browser == there.claire.browser
    return {
        By.ITSELF: theirs and (kept.thing, kept.name) in about.itself,
        By.ACCOUNT: theirs,
        By.OTHERS: theirs and kept.session != "here",
        By.SINCE: theirs and kept.recent,
        By.PAIR: theirs and kept.child in about.children,
        By.SCHOOL: theirs and kept.school in about.schools,
        By.SESSION: theirs and kept.session in about.sessions,
        By.ONLINE: theirs and kept.session in about.sessions and not kept.offline,
        By.PERMISSION: theirs and kept.client == "portal",
        By.CLIENT: kept.client == "portal",
        By.BROWSER: here,
        By.ELSEWHERE: here and kept.interaction != "this",
        By.EVERYBODY: True,
    }[by]


Outcome = set[tuple[str, str, str]]


def outcome(
    cause: Cause, how: Act, client: FlaskClient, number: int
) -> tuple[Outcome, Outcome, set[Told]]:
    """What ended by an act, what should have, and what applications are wrongly told or not, in a
    world of its own.
    """
    correlation.begin(address=f"192.0.2.{number}")
    there = everything.make(number, **HEARS)
    before = last()
    about = how(there, client)
    db.session.rollback()
    row = ENDINGS[cause]
    expected = [
        each
        for each in there.kept
        if each.thing in row and ends(each, row[each.thing], there, about)
    ]
    ended = [each for each in there.kept if not each.is_alive()]
    # What ends for everybody is told of those of the worlds before, too
    heard = set(told(before, whom=[there.claire.id, there.paul.id]))
    named = ({_named(each, there) for each in which} for which in (ended, expected))
    return *named, heard ^ to_be_told(cause, there)  # type: ignore[return-value]


@pytest.mark.quick_on("sqlite")
def test_each_cause_ends_what_the_table_says_and_tells_applications_of_it_and_of_nothing_else(
    app: Flask, client: FlaskClient
) -> None:
    wrong = {}
    for number, (cause, name, how) in enumerate(ACTS):
        ended, expected, wrongly_told = outcome(cause, how, client, number)
        if ended != expected or wrongly_told:
            too_many, too_few = ended - expected, expected - ended
            about = {"lives on": too_few, "has ended": too_many, "told or not": wrongly_told}
            wrong[cause.name, name] = about

    assert wrong == {}


def _named(kept: Kept, there: Everything) -> tuple[str, str, str]:
    who = "Claire" if kept.owner == there.claire.id else "Paul"
    return who, kept.thing.name, kept.name


def test_each_cause_is_done_here_and_each_thing_is_somebodys(app: Flask) -> None:
    there = everything.make(0)

    assert all(each.is_alive() for each in there.kept)
    assert {cause for cause, _name, _how in ACTS} == set(Cause) == set(ENDINGS)
    assert {each.thing for each in there.kept} == set(Thing)


ENDERS = {
    "sessions": ("end", "forget_children"),
    "device_codes": ("end",),
    "grants_service": ("end", "end_heard", "withdraw_consents", "withdraw_child_consents"),
    "registration_tokens": ("end_each", "end_management"),
    "one_time_tokens": ("end",),
    "email_changes": ("end_waiting", "end_open", "settle"),
    "devices": ("forget",),
    "persistent": ("forget",),
    "passkeys": ("remove",),
    "totp": ("switch_off", "forget_enrolments"),
    "recovery_codes": ("forget",),
    "passwords": ("withdraw",),
    "links": ("remove", "forget_waiting", "forget_requests"),
    "interactions": ("forget_person",),
    "submissions": ("forget",),
    "outbox": ("drop",),
    "accounts": ("mark_disabled",),
    "linking": ("mark_ended",),
    "link_questions": ("end",),
}
"""What ends things, by the module that keeps them."""

ITSELF = {
    "lifecycle/email_change.py": {"email_changes.end_waiting"},
    "lifecycle/factor_changes.py": {
        "passkeys.remove", "totp.switch_off", "recovery_codes.forget"
    },
    "lifecycle/factor_undo.py": {"passkeys.remove", "totp.switch_off", "links.remove"},
    "lifecycle/federation.py": {"links.remove", "links.forget_waiting"},
    "lifecycle/link_requests.py": {"link_questions.end"},
    "lifecycle/mails/tokens.py": {"one_time_tokens.end"},
    "lifecycle/restored.py": {"persistent.forget"},
    "lifecycle/staying.py": {"persistent.forget"},
    "oidc/grants/reuse.py": {"grants_service.end"},
    "oidc/revocation.py": {"grants_service.end"},
}  # fmt: skip
"""Where the very thing ends that an act is about: ``By.ITSELF``."""


def test_nothing_ends_past_the_table() -> None:
    calls: dict[str, set[str]] = {}
    for path in sorted((ROOT / "idp").rglob("*.py")):
        found = re.findall(r"\b(\w+)\.(\w+)\(", path.read_text("utf-8"))
        ends = {f"{module}.{name}" for module, name in found if name in ENDERS.get(module, ())}
        where = str(path.relative_to(ROOT / "idp"))
        if ends and where != "lifecycle/endings.py":
            calls[where] = ends

    assert calls == ITSELF


LASTING = {
    "schools", "children", "guardianships", "accounts", "clients", "client_schools",
    "school_texts", "staff_roles", "directory_entries", "audit_events", "database_identity",
    "installation_marks", "throttle_counters", "factor_resets", "erasure_requests",
    "erasure_answers", "client_refusals", "used_assertions", "pushed_requests",
    "deletion_requests", "event_deliveries", "delivery_pauses", "client_logos",
    "registration_tokens", "platform_counts", "stored_keys", "key_lists",
}  # fmt: skip
"""Tables of people, schools and applications, of what happened, of sums and of questions: nobody
enters by them, and an application reads nothing by them."""

WITH_ANOTHER = {
    "authorization_codes": "grants", "access_tokens": "grants", "refresh_tokens": "grants",
    "email_change_links": "email_changes", "persistent_logins": "browser_sessions",
}  # fmt: skip
"""What asks another at each use, and ends with it."""


def test_each_table_has_a_row_lasts_or_hangs_on_another() -> None:
    rostered = {name for name in Base.metadata.tables if name.startswith("roster_")}
    ending = {table.__tablename__ for table in _TABLES.values()}
    assert set(WITH_ANOTHER.values()) <= ending
    assert set(Base.metadata.tables) - rostered == ending | LASTING | WITH_ANOTHER.keys()


def in_words() -> list[str]:
    """The table as the security page shows it."""
    lines = ["| cause | what ends |", "|---|---|"]
    for cause, row in ENDINGS.items():
        by: dict[By, list[str]] = {}
        for thing in Thing:
            if thing in row:
                by.setdefault(row[thing], []).append(f"`{thing.value}`")
        told = "; ".join(f"{which.value}: {', '.join(things)}" for which, things in by.items())
        lines.append(f"| {cause.value} | {told} |")
    return lines


def test_the_security_page_shows_the_table() -> None:
    page = (ROOT / "docs/security.md").read_text("utf-8")
    table = "\n".join(in_words())

    assert table in page, f"put this in its section « What ends with what »:\n{table}"


@pytest.mark.quick_on("postgresql")
def test_whoever_ends_one_guardianship_at_once_ends_it_once(app: Flask) -> None:
    factories.family(factories.school(), "Lina")
    ids = [each.id for each in db.session.scalars(select(Guardianship))]

    def end() -> int:
        with transaction():
            return endings.end_guardianships(ids, "judgment", "court")

    done, errors = at_once(app, 6, end)

    assert errors == []
    assert sorted(done) == [0, 0, 0, 0, 0, 1]
    assert len(_recorded("guardianship_ended")) == 1


def test_a_password_by_command_lets_its_owner_in_however_often_strangers_guessed(
    app: Flask,
) -> None:
    """As one by a mail does (security rule E2)."""
    claire = factories.account("claire", email="claire@example.org")
    for typed in ("claire", "claire@example.org") * 6:
        throttling.check_sign_in(typed, claire.id, "198.51.100.1", device_known=False)

    passwords.set_first_password(claire.id, NEW)

    for typed in ("claire", "claire@example.org"):
        assert passwords.prove_password(typed, NEW, address="192.0.2.1").account_id == claire.id


def test_the_trail_names_each_session_that_ends_with_a_link_as_with_a_passkey(app: Flask) -> None:
    there = everything.make(0)
    claire = there.claire

    federation.unlink(claire.id, claire.ids["new link"])
    key = claire.ids["new passkey"]
    factor_changes.remove_passkey(claire.id, key, keep_session="none")

    ended = [(each.account_id, each.session_id) for each in _recorded("session_ended")]
    sessions = claire.sessions
    assert ended == [(claire.id, sessions["by link"]), (claire.id, sessions["by passkey"])]


def _recorded(event: str) -> list[AuditEvent]:
    db.session.rollback()
    found = select(AuditEvent).where(AuditEvent.event == event).order_by(AuditEvent.id)
    return list(db.session.scalars(found))
