"""Imports at the desk: chosen, looked at, decided by a person, done by a worker."""

import re
from contextlib import suppress
from pathlib import Path
from time import monotonic

import pytest
from flask import Flask
from sqlalchemy import func, select

from idp import correlation
from idp.audit.models import AuditEvent
from idp.database import db, transaction
from idp.desk.access import rights as desk_staff
from idp.desk.imports import service as desk_imports
from idp.errors import Conflict
from idp.mail.models import OutboxMessage
from idp.people import accounts, guardianships
from idp.people.models import Child, Guardianship
from idp.roster import jobs, reading, service, spool, strays
from idp.roster.models import RosterJob, RosterPreview, RosterRejection, RosterRun
from tests import parallel
from tests.admin.places import Desk
from tests.admin.rosters import LIST, applied, begun, chosen, upload, whole, work_off, zipped
from tests.admin.test_matrix import form_token
from tests.conftest import Measured
from tests.relying_party import Browser
from tests.roster.files import OneRoster
from tests.times import later

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


def counted(model: object) -> int:
    db.session.rollback()
    return db.session.scalar(select(func.count()).select_from(model)) or 0  # type: ignore[arg-type]


def text_of(browser: Browser) -> str:
    assert browser.page is not None
    return browser.page.text


def district(desk: Desk) -> OneRoster:
    made = OneRoster()
    made.district()
    for org, school, pupil in (("o1", desk.here, "Lina"), ("o2", desk.elsewhere, "Zoé")):
        made.school(org, school.name, parent="district")
        made.pupil(f"p-{org}", pupil, "Dubois", f"g-{org}", org=org)
        made.guardian(f"g-{org}", f"Claire-{pupil}", "Dubois", f"{org}@dubois.example")
    return made


def of_district(desk: Desk, operator: Browser, tmp_path: Path) -> str:
    """The address of a run for both schools, which a worker has read."""
    content = zipped(district(desk), tmp_path)
    answer = upload(operator, [desk.here, desk.elsewhere], content, "district.zip")
    work_off()
    return str(answer.headers["Location"])


def test_a_file_is_looked_at_before_anything_changes(desk: Desk, tmp_path: Path) -> None:
    browser = begun(desk, "manager", zipped(whole(), tmp_path))

    assert "Lina Dubois" in text_of(browser)
    assert "Claire Dubois" in text_of(browser)
    assert counted(Child) == 0


def test_tasks_of_imports_are_counted(desk: Desk, tmp_path: Path, measured: Measured) -> None:
    applied(desk, "manager", zipped(whole(), tmp_path))

    assert measured("idp_imports_total", task="open", outcome="done") == 1
    assert measured("idp_imports_total", task="apply", outcome="done") == 1


def test_an_import_is_carried_out_with_invitations_and_told_in_the_trail(
    desk: Desk, tmp_path: Path
) -> None:
    browser = applied(desk, "manager", zipped(whole(), tmp_path), invite="yes", per_hour="10")

    assert (counted(Child), counted(Guardianship)) == (3, 5)
    assert counted(OutboxMessage) == 3
    event = db.session.scalars(select(AuditEvent).where(AuditEvent.event == "roster_applied")).one()
    assert (event.actor, event.school_id) == (desk.staff("manager").id, desk.here.id)
    assert counted(RosterPreview) == 0  # names are kept no longer than they are needed
    assert browser.shows("undo-form")


def test_an_import_is_undone_and_what_was_changed_since_is_told(desk: Desk, tmp_path: Path) -> None:
    browser = applied(desk, "manager", zipped(whole(), tmp_path))
    claire = accounts.find_by_username("claire.dubois")
    assert claire is not None
    with transaction():
        held = accounts.lock_account(claire.id)
        assert held is not None
        accounts.activate(held)

    browser.submit("undo-form", confirmed="yes")
    work_off()

    live = select(func.count()).where(Guardianship.ended_at.is_(None))
    assert db.session.scalar(live) == 0
    browser.open(browser.page.request.path if browser.page else "")
    assert "Ce qui reste" in text_of(browser)
    assert not browser.shows("undo-form")


def test_a_list_is_mapped_and_the_mapping_is_kept_for_the_next_one(desk: Desk) -> None:
    manager = desk.browser("manager")
    browser = begun(desk, manager, LIST.encode("cp1252"), "liste.csv")
    columns = chosen(text_of(browser))
    assert columns["column-3"] == "guardian.1.name"

    browser.submit("columns-form", **{**columns, "column-2": "-"}, keep="yes")
    work_off()
    browser.open(browser.page.request.path if browser.page else "")

    assert "Tom Maes" in text_of(browser)
    again = begun(desk, manager, LIST.encode("cp1252"), "liste.csv")
    assert chosen(text_of(again))["column-2"] == "-"


def test_c5_birth_dates_are_neither_shown_nor_kept(desk: Desk) -> None:
    browser = begun(desk, "manager", LIST.encode("cp1252"), "liste.csv")

    assert "31/08/2014" not in text_of(browser)
    job = db.session.scalars(select(RosterJob)).one()
    assert "31/08/2014" not in str(job.result)


def test_two_columns_are_not_the_same_thing(desk: Desk) -> None:
    browser = begun(desk, "manager", LIST.encode("cp1252"), "liste.csv")
    columns = chosen(text_of(browser))

    page = browser.submit("columns-form", **{**columns, "column-2": columns["column-1"]})

    assert page.status_code == 400
    assert browser.shows("form-notice")


def test_a6_rejected_rows_are_a_file_in_which_no_cell_is_a_formula(desk: Desk) -> None:
    browser = begun(desk, "manager", LIST.encode("cp1252"), "liste.csv")
    browser.submit("columns-form", **chosen(text_of(browser)))
    work_off()
    address = browser.page.request.path if browser.page else ""
    browser.open(address)

    answer = browser.client.get(f"{address}/rejected.csv")

    assert answer.headers["Content-Type"] == "text/csv; charset=utf-8"
    assert '"\'=1+1"' in answer.text
    assert "adresse e-mail" in answer.text


def test_more_than_a_tenth_ends_only_after_a_second_word(desk: Desk, tmp_path: Path) -> None:
    manager = desk.browser("manager")
    applied(desk, manager, zipped(whole(), tmp_path))
    small = whole()
    small.users = [each for each in small.users if each["sourcedId"] != "p1"]
    browser = begun(desk, manager, zipped(small, tmp_path))

    assert browser.submit("apply-form").status_code == 400
    assert work_off() == 0
    browser.open((browser.page.request.path if browser.page else "").removesuffix("/apply"))
    browser.submit("apply-form", confirmed=desk.here.id)
    work_off()

    left = select(func.count()).where(Child.left_at.is_not(None))
    assert db.session.scalar(left) == 1


def test_what_was_confirmed_is_no_word_for_a_larger_end(desk: Desk, tmp_path: Path) -> None:
    manager = desk.browser("manager")
    applied(desk, manager, zipped(whole(), tmp_path))
    small = whole()
    small.users = [each for each in small.users if each["sourcedId"] != "p1"]
    browser = begun(desk, manager, zipped(small, tmp_path))
    preview = db.session.scalars(select(RosterPreview).where(RosterPreview.school_id != "")).one()
    with transaction():
        preview.report = {**preview.report, "share_ending": 0.2}  # as it was when it was seen

    browser.submit("apply-form", confirmed=desk.here.id)
    work_off()

    assert db.session.scalar(select(func.count()).where(Child.left_at.is_not(None))) == 0
    browser.open(browser.page.request.path if browser.page else "")
    assert browser.shows("confirm-large")  # with the numbers of now


def test_c3_a_manager_sees_of_a_district_their_own_school(desk: Desk, tmp_path: Path) -> None:
    address = of_district(desk, desk.browser("operator"), tmp_path)
    manager = desk.browser("manager")

    page = manager.open(address)

    assert "Lina Dubois" in page.text
    assert "Zoé" not in page.text
    assert desk.elsewhere.name not in page.text
    listed = manager.open("/admin/imports").text
    assert "district.zip" not in (page.text + listed).replace("<wbr>", "")
    page = manager.open(address)
    assert not manager.shows("apply-form")
    form = {"csrf_token": re.findall(r'name="csrf_token" value="([^"]+)"', page.text)[0]}
    for act in ("apply", "check", "discard", "columns"):
        assert manager.client.post(f"{address}/{act}", data=form).status_code == 404
    assert manager.client.get(f"{address}/rejected.csv").status_code == 404
    assert work_off() == 0


def test_a2_a_manager_undoes_a_districts_import_at_the_own_school_alone(
    desk: Desk, tmp_path: Path
) -> None:
    operator = desk.browser("operator")
    address = of_district(desk, operator, tmp_path)
    operator.open(address)
    operator.submit("apply-form")
    work_off()
    manager = desk.browser("manager")
    manager.open(address)

    manager.submit("undo-form", confirmed="yes")
    work_off()

    gone = db.session.scalars(select(Child.given_name).where(Child.left_at.is_not(None))).all()
    assert gone == ["Lina"]


def test_a2_an_import_of_another_school_is_not_found(desk: Desk, tmp_path: Path) -> None:
    manager = begun(desk, "manager", zipped(whole(), tmp_path))
    address = manager.page.request.path if manager.page else ""
    stranger = desk.browser("stranger")
    page = stranger.open("/admin/imports")
    assert address not in page.text
    form = {"csrf_token": re.findall(r'name="csrf_token" value="([^"]+)"', page.text)[0]}

    assert stranger.client.get(address).status_code == 404
    for act in ("apply", "undo", "check", "discard", "columns"):
        assert stranger.client.post(f"{address}/{act}", data=form).status_code == 404
    assert work_off() == 0


def test_a2_nobody_imports_for_a_school_of_others(desk: Desk, tmp_path: Path) -> None:
    manager = desk.browser("manager")
    content = zipped(whole(), tmp_path)

    for schools in ([desk.elsewhere], [desk.here, desk.elsewhere]):
        assert upload(manager, schools, content, "roster.zip").status_code == 400
    same = upload(manager, desk.here, content, "roster.zip", same="yes")

    assert same.status_code == 400  # who is known elsewhere is the operator's to know
    assert counted(RosterRun) == 0


def test_a1_a_helper_imports_nothing(desk: Desk) -> None:
    helper = desk.browser("helper")

    assert helper.client.get("/admin/imports").status_code == 403
    assert upload(helper, desk.here, b"x" * 100_000, "liste.csv").status_code == 403


def test_a3_carrying_out_and_undoing_ask_for_a_fresh_proof(desk: Desk, tmp_path: Path) -> None:
    browser = begun(desk, "manager", zipped(whole(), tmp_path))
    address = browser.page.request.path if browser.page else ""

    with later(minutes=15):
        answer = browser.submit("apply-form")

    assert answer.request.path == "/account/confirm"
    assert work_off() == 0
    assert address in answer.request.full_path.replace("%2F", "/")


HOSTILE = (
    (b"", "liste.csv", 400),
    (b"x", "liste.pdf", 400),
    (b"x", "../../etc/passwd", 400),
    (b"%PDF-1.4 nothing", "liste.xlsx", 303),
    (b"PK\x03\x04 nothing", "roster.zip", 303),
    (b"%PDF-1.4 nothing", "..\\<script>.xlsx", 303),
)


def test_hostile_files_are_refused_in_words(desk: Desk) -> None:
    manager = desk.browser("manager")
    for content, name, status in HOSTILE:
        answer = upload(manager, desk.here, content, name)
        work_off()

        assert answer.status_code == status, name
        page = manager.open(answer.headers["Location"]) if status == 303 else answer
        assert "<script>" not in page.text.partition('id="main"')[2]
        assert 'id="import-trouble"' in page.text or 'id="file-problem"' in page.text, name
    assert spool.runs() == []


def test_an_upload_without_a_file_says_so(desk: Desk) -> None:
    manager = desk.browser("manager")
    page = manager.open("/admin/imports/new")
    token = re.findall(r'name="csrf_token" value="([^"]+)"', page.text)[0]

    answer = manager.client.post(
        "/admin/imports/new/file", data={"csrf_token": token, "school": desk.here.id, "file": "x"}
    )

    assert answer.status_code == 400
    assert 'id="file-problem"' in answer.text


def test_a_file_that_is_too_large_leaves_nothing(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    manager = desk.browser("manager")
    monkeypatch.setattr(spool, "LARGEST", 1000)

    answer = upload(manager, desk.here, b"x" * 1001, "liste.csv")

    assert answer.status_code == 400
    assert 'id="file-problem"' in answer.text
    assert spool.runs() == []
    assert work_off() == 0


def test_of_one_persons_files_a_few_may_wait(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(desk_imports, "MOST_WAITING", 1)
    manager = desk.browser("manager")
    upload(manager, desk.here, LIST.encode(), "liste.csv")

    answer = upload(manager, desk.here, LIST.encode(), "liste.csv")

    assert answer.status_code == 400
    assert 'id="form-notice"' in answer.text
    assert len(spool.runs()) == 1


def test_the_uploaded_file_is_nobody_elses_and_gone_once_it_is_read(
    desk: Desk, tmp_path: Path
) -> None:
    manager = desk.browser("manager")
    answer = upload(manager, desk.here, zipped(whole(), tmp_path), "roster.zip")
    path = spool.path_of(answer.headers["Location"].rpartition("/")[2])
    assert path is not None
    assert (path.stat().st_mode & 0o777, path.parent.stat().st_mode & 0o777) == (0o600, 0o700)

    work_off()

    assert spool.runs() == []


def test_what_was_read_can_be_forgotten(desk: Desk, tmp_path: Path) -> None:
    browser = begun(desk, "manager", LIST.encode("cp1252"), "liste.csv")
    assert spool.runs() != []

    browser.press("discard-submit")
    work_off()

    assert spool.runs() == []
    assert (counted(RosterPreview), counted(RosterRejection)) == (0, 0)
    assert db.session.scalars(select(RosterRun.status)).all() == ["refused"]


def test_r4_two_people_carry_out_one_import_once(app: Flask, desk: Desk, tmp_path: Path) -> None:
    browser = begun(desk, "manager", zipped(whole(), tmp_path))
    run_id = (browser.page.request.path if browser.page else "").rpartition("/")[2]
    account = desk.staff("manager").id

    def act() -> bool:
        staff = desk_staff.staff_of(account)
        assert staff is not None
        try:
            desk_imports.carry_out(staff, run_id)
        except Conflict:
            return False
        return True

    heard, errors = parallel.at_once(app, 4, act)

    assert errors == []
    assert sorted(heard) == [False, False, False, True]
    assert work_off() == 1
    assert counted(Child) == 3


def test_r5_a_job_is_not_held_for_a_year_by_a_worker_that_was_killed(
    desk: Desk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    upload(desk.browser("manager"), desk.here, zipped(whole(), tmp_path), "roster.zip")
    with later(days=365):
        assert jobs.claim_job(spool.runs())
    leases, began = strays.Leases(), monotonic()

    assert leases.bring_back() == 0
    monkeypatch.setattr(strays, "monotonic", lambda: began + strays.STANDS_STILL + 1)
    assert leases.bring_back() == 1

    assert jobs.claim_job(spool.runs())
    assert jobs.claim_job(spool.runs()) is None  # whoever holds it by today's clock keeps it


def test_r5_a_job_of_a_worker_whose_clock_is_ahead_is_its_own(
    desk: Desk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    upload(desk.browser("manager"), desk.here, zipped(whole(), tmp_path), "roster.zip")
    leases, began = strays.Leases(), monotonic()
    with later(minutes=30):
        taken = jobs.claim_job(spool.runs())
    assert taken is not None
    for seconds in range(0, 100, 2):
        monkeypatch.setattr(strays, "monotonic", lambda at=began + seconds: at)
        with later(minutes=30, seconds=seconds):
            assert jobs.renew_lease(taken, seconds, 100)
        assert leases.bring_back() == 0
    assert jobs.claim_job(spool.runs()) is None


def test_r4_a_job_is_one_workers_until_its_lease_is_over(
    app: Flask, desk: Desk, tmp_path: Path
) -> None:
    upload(desk.browser("manager"), desk.here, zipped(whole(), tmp_path), "roster.zip")
    files = spool.runs()

    taken, errors = parallel.at_once(app, 4, lambda: jobs.claim_job(files))

    assert errors == []
    (first,) = [each for each in taken if each is not None]
    with later(minutes=3):
        second = jobs.claim_job(files)
    assert second is not None
    assert not jobs.renew_lease(first, 1, 2)  # it was silent for too long
    assert jobs.finish(second)


class Killed(BaseException):
    """What a kill looks like from inside."""


@pytest.mark.parametrize("step", ["read_upload", "preview", "apply"])
def test_r1_what_a_killed_worker_left_another_one_finishes(
    desk: Desk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    where = reading if step == "read_upload" else service
    whole_step = getattr(where, step)

    def killed(*given: object, **how: object) -> None:
        whole_step(*given, **how)
        raise Killed

    manager = desk.browser("manager")
    content = zipped(whole(), tmp_path)
    answer = upload(manager, desk.here, content, "roster.zip")
    with monkeypatch.context() as patched, suppress(Killed):
        patched.setattr(where, step, killed)
        work_off()
    correlation.begin()
    with later(minutes=3):
        work_off()
    manager.open(answer.headers["Location"])
    if step != "apply":
        assert manager.shows("apply-form")
        return
    manager.submit("apply-form")
    with monkeypatch.context() as patched, suppress(Killed):
        patched.setattr(where, step, killed)
        work_off()
    with later(minutes=3):
        work_off()
    assert counted(Child) == 3
    assert db.session.scalars(select(RosterJob.state)).all() == ["done"]


def test_a_file_is_read_where_it_lies(desk: Desk, tmp_path: Path) -> None:
    upload(desk.browser("manager"), desk.here, zipped(whole(), tmp_path), "roster.zip")
    db.session.rollback()

    assert jobs.claim_job([]) is None  # a worker of another machine


def test_a_page_shows_how_far_the_worker_is_and_renews_itself(desk: Desk, tmp_path: Path) -> None:
    manager = desk.browser("manager")
    answer = upload(manager, desk.here, zipped(whole(), tmp_path), "roster.zip")
    taken = jobs.claim_job(spool.runs())
    assert taken is not None
    jobs.renew_lease(taken, 30, 60)

    page = manager.open(answer.headers["Location"])

    assert page.headers["Refresh"] == "2"
    assert re.search(r'<progress id="import-bar"[^>]*value="50"', page.text)


def test_a_run_of_the_command_line_is_checked_before_it_is_carried_out(
    desk: Desk, tmp_path: Path
) -> None:
    path = whole().zip(tmp_path / "1.zip")
    run = service.stage(path, service.Wish((service.Choice(desk.here.id),)))
    manager = desk.browser("manager")
    manager.open(f"/admin/imports/{run.id}")
    assert not manager.shows("apply-form")

    manager.press("check-submit")
    work_off()
    manager.open(f"/admin/imports/{run.id}")

    assert manager.shows("apply-form")


def test_a_file_that_was_lost_on_its_way_is_waited_for_no_longer_than_a_day(desk: Desk) -> None:
    manager = desk.browser("manager")
    answer = upload(manager, desk.here, LIST.encode(), "liste.csv")
    spool.remove(answer.headers["Location"].rpartition("/")[2])
    assert work_off() == 0

    with later(hours=25):
        browser = desk.browser("manager")
        page = browser.open(answer.headers["Location"])

    assert "Trop ancien" in page.text
    assert "Refresh" not in page.headers


def test_after_a_day_a_file_is_chosen_again(desk: Desk, tmp_path: Path) -> None:
    manager = begun(desk, "manager", zipped(whole(), tmp_path))
    address = manager.page.request.path if manager.page else ""
    with later(hours=25):
        browser = desk.browser("manager")
        page = browser.open(address)
        assert "Trop ancien" in page.text
        assert not browser.shows("apply-form")


def exchanged(tmp_path: Path, *, back: bool = False) -> bytes:
    """Two parents of two children, whose ids another file exchanges."""
    made = OneRoster()
    made.school()
    for number, (given, family) in enumerate((("Lina", "Dubois"), ("Tom", "Maes"))):
        agent = f"g{1 - number if back else number}"
        made.pupil(f"p{number}", given, family, agent, class_name=f"{number}A")
        made.guardian(agent, f"Par{given}", family, f"{family.lower()}@x.example")
    return zipped(made, tmp_path)


def test_n2_a_manager_sees_old_and_new_and_says_who_it_is(desk: Desk, tmp_path: Path) -> None:
    manager = desk.browser("manager")
    applied(desk, manager, exchanged(tmp_path))
    lina = accounts.find_by_username("parlina.dubois")
    assert lina is not None
    browser = begun(desk, manager, exchanged(tmp_path, back=True))
    page = text_of(browser)
    names = re.findall(r'name="(answer-[^"]+)"', page)
    assert len(set(names)) == 2
    assert page.replace("<wbr>", "").count("maes@x.example") >= 2  # old and new
    assert browser.shows("apply-asked")

    browser.submit("answers-form", **dict.fromkeys(names, "another"))
    work_off()
    browser.open(browser.page.request.path if browser.page else "")

    assert not browser.shows("apply-asked")
    assert len(re.findall(r'value="another"\s+checked', text_of(browser))) == 2
    browser.submit("apply-form")
    work_off()
    db.session.expire_all()
    assert (lina.given_name, lina.email) == ("ParLina", "dubois@x.example")
    assert [child.given_name for child, _ in guardianships.live_children(lina.id)] == ["Lina"]
    told = db.session.scalars(select(AuditEvent).where(AuditEvent.event == "roster_answered")).one()
    assert (told.actor, told.school_id) == (desk.staff("manager").id, desk.here.id)


def test_a2_nobody_answers_for_another_school(desk: Desk, tmp_path: Path) -> None:
    browser = begun(desk, "manager", exchanged(tmp_path))
    address = browser.page.request.path if browser.page else ""
    stranger = desk.browser("stranger")
    answer = stranger.client.post(
        f"{address}/answers", data={"csrf_token": form_token(stranger), "answer-x-g1": "same"}
    )
    assert answer.status_code == 404
