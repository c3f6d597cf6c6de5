"""What ``idp check`` finds by trying: what would not work now, though nothing is unsafe.

Each check asks the real thing – the mail server, the folders, the database – and says what to
do. ``idp serve`` starts all the same: what is away comes back.
"""

import os
import tempfile
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final

from sqlalchemy import ColumnElement, and_, func, or_, select, text
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import InstrumentedAttribute

from idp import clock, settings
from idp.audit import last_seen, partitions
from idp.audit.models import InstallationMark
from idp.database import db
from idp.deliveries import listing
from idp.doctor import Finding, Findings, trouble
from idp.mail import smtp
from idp.oidc.models import AccessToken, AuthorizationCode
from idp.people import platform_counts
from idp.readiness import invariants, lateness, marks, proofs, schema, write_probe
from idp.roster.models import RosterJob
from idp.sessions.models import Interaction

WAITS_TOO_LONG: Final = lateness.MAILS
PURGE_OVERDUE: Final = timedelta(days=3)
"""A daily purge leaves rows for a day after their end (rule R5), and may fail once."""
PROXY_SEEN_WITHIN: Final = timedelta(days=7)
SPARE_CONNECTIONS: Final = 5
"""For the workers of mails and imports, commands and backups."""


def of_running() -> list[Finding]:
    """What does not work at present."""
    findings: list[Finding] = []
    for check in CHECKS if schema().serves else CHECKS[:2]:
        try:
            findings += list(check())
        except SQLAlchemyError as error:
            reason = str(getattr(error, "orig", None) or type(error).__name__).splitlines()[0]
            findings.append(
                trouble("database", f"It can't be asked: {reason}.", "See its own log.")
            )
            break
    return findings


def _folders_take_files() -> Findings:
    """A file is really made: a full disk and a read-only mount look like any other folder."""
    now = settings.current()
    wanted = (
        ("keys", now.keys_folder, "keys can't be rotated"),
        ("history", last_seen.file().parent, "a restored database would not be noticed"),
        ("spool", now.spool_folder, "no roster can be uploaded"),
    )
    elsewhere = now.keys_in == "database"
    for subject, folder, consequence in wanted[1:] if elsewhere else wanted:
        if folder.exists() and (problem := _unwritable(folder)):
            yield trouble(
                subject,
                f"No file can be written in {folder} ({problem}): {consequence}.",
                f"Make room there, or let user {os.geteuid()} write.",
            )


def _unwritable(folder: Path) -> str | None:
    try:
        with tempfile.NamedTemporaryFile(dir=folder, prefix=".check-") as file:
            file.write(os.urandom(16384))
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        return error.strerror or type(error).__name__
    return None


def _mail_server_answers() -> Findings:
    now = settings.current()
    with smtp.Post() as post:
        try:
            post.open()
        except smtp.ServerAway as away:
            yield trouble(
                "mail server",
                f"{now.mail_server} port {now.mail_port} takes no mail ({away.answer}): "
                "invitations and forgotten passwords wait.",
                "Check IDP_MAIL_SERVER, IDP_MAIL_PORT, IDP_MAIL_TLS, IDP_MAIL_FROM, user name and "
                "password.",
            )


def _database_takes_writes() -> Findings:
    try:
        write_probe.write()
    except SQLAlchemyError as error:
        reason = str(getattr(error, "orig", None) or type(error).__name__).splitlines()[0]
        yield trouble(
            "database",
            f"It takes no writes ({reason}): nobody can sign in.",
            "Is it a standby, in maintenance, or is its disk full?",
        )


def _mails_leave() -> Findings:
    count, oldest = lateness.mails()
    if count:
        yield trouble(
            "mail worker",
            f"{count} {'mail is' if count == 1 else 'mails are'} due, the first since "
            f"{oldest:%Y-%m-%d %H:%M}Z, and nobody sends mail.",
            "Does `idp mail work` run? Its log tells what holds it up.",
        )


def _applications_are_told() -> Findings:
    count, oldest = lateness.deliveries()
    if count:
        yield trouble(
            "notify worker",
            f"Applications are to be told of {count} {'end' if count == 1 else 'ends'}, since "
            f"{oldest:%Y-%m-%d %H:%M}Z, and nobody tells them: pages stay open there.",
            "Start `idp notify work`; its log tells what holds it up.",
        )
    number, answer = lateness.way_out()
    if number:
        yield trouble(
            "way out",
            f"None of the {number} applications that are to be told something can be reached "
            f"({answer or 'not tried yet'}): that is hardly their fault.",
            "Try `curl` to one of them from this machine: name server, firewall, HTTPS_PROXY.",
        )
    for client_id, name, number, since, answer in listing.waiting_long(
        clock.now() - WAITS_TOO_LONG
    ):
        yield trouble(
            "applications",
            f"{name} ({client_id}) could not be told of {number} "
            f"{'end' if number == 1 else 'ends'}, since {since:%Y-%m-%d %H:%M}Z: "
            f"{answer or 'not tried yet'}.",
            f"`idp client deliveries {client_id}` lists them; ask whoever runs it.",
        )


def _imports_are_worked_on() -> Findings:
    before = clock.now() - WAITS_TOO_LONG
    late = or_(
        and_(RosterJob.state == "waiting", RosterJob.asked_at < before),
        and_(RosterJob.state == "working", RosterJob.lease_until < before),
    )
    count, oldest = _late(RosterJob.asked_at, late)
    if count:
        yield trouble(
            "import worker",
            f"{count} {'import waits' if count == 1 else 'imports wait'}, the first since "
            f"{oldest:%Y-%m-%d %H:%M}Z, and nobody works on imports.",
            "Start `idp roster work` on each machine that runs `idp serve`.",
        )


def _late(
    moment: InstrumentedAttribute[datetime], late: ColumnElement[bool]
) -> tuple[int, datetime | None]:
    count, oldest = db.session.execute(select(func.count(), func.min(moment)).where(late)).one()
    return count, oldest


def _purge_runs() -> Findings:
    since = _oldest_left_over()
    if since is not None and since < clock.now() - PURGE_OVERDUE:
        yield trouble(
            "purge",
            f"What expired on {since:%Y-%m-%d} is still in the database: nothing purges it, or not "
            "fast enough.",
            "Run `idp purge` once a day (idp-purge.timer).",
        )


def _audit_log_is_cut() -> Findings:
    number = partitions.refuses_from()
    if number is not None:
        yield trouble(
            "audit trail",
            f"A purge was stopped while it cut the trail: event {number} and later ones would be "
            "refused, and with them sign-ins.",
            "Run `idp purge`, at a time when no backup reads the database.",
        )
    leaving = partitions.leaving()
    if leaving:
        yield trouble(
            "audit trail",
            f"{leaving[0]} is to leave it, as its events are old enough; somebody read the trail "
            "for so long that it lies in the database yet.",
            "Run `idp purge`, at a time when no backup or report reads the database.",
        )
    part = partitions.overfull()
    if part is not None:
        yield trouble(
            "audit trail",
            f"Its partition {part.name} holds months of events and has no end yet: they will not "
            "leave together when they are old enough.",
            "Run `idp purge` once a day, as the role that owns the tables.",
        )


def _platform_is_counted() -> Findings:
    if platform_counts.are_counted_by_pages():
        return
    counted_at = platform_counts.counted_at()
    if counted_at is None or counted_at < clock.now() - platform_counts.OLD:
        yield trouble(
            "overview",
            "The figures of the whole platform have not been counted lately: operators see old "
            "ones, or none.",
            "Run `idp overview refresh` every quarter of an hour (idp-overview.timer).",
        )


def _oldest_left_over() -> datetime | None:
    """When the oldest row expired that a purge would remove: long ago where none runs."""
    models: tuple[Any, ...] = (AuthorizationCode, AccessToken, Interaction)
    oldest = [db.session.scalar(select(func.min(each.expires_at))) for each in models]
    return min((each for each in oldest if each is not None), default=None)


def _connections_suffice() -> Findings:
    """As many workers as cores: what `idp serve` is told to start on a machine of its own."""
    if db.engine.dialect.name != "postgresql":
        return
    allowed, reserved = db.session.execute(
        text(
            "SELECT current_setting('max_connections')::int,"
            " current_setting('superuser_reserved_connections')::int"
        )
    ).one()
    workers, each = os.cpu_count() or 1, settings.current().database_connections
    needed = workers * each + SPARE_CONNECTIONS
    fewer = max(2, (allowed - reserved - SPARE_CONNECTIONS) // workers)
    if needed > allowed - reserved:
        yield trouble(
            "connections",
            f"PostgreSQL allows {allowed - reserved} connections; {workers} workers (one for each "
            f"core) of {each} and the commands may open {needed}, on each machine.",
            f"Set max_connections to {needed + reserved} or more for each machine, or "
            f"IDP_DATABASE_CONNECTIONS to {fewer} or less.",
        )


def _pooler_is_known() -> Findings:
    """A pooler tells a process of its own for a connection, never the server's."""
    if db.engine.dialect.name != "postgresql":
        return
    with db.engine.connect() as now:
        announced = now.connection.dbapi_connection.info.backend_pid  # type: ignore[union-attr]
        at_work = now.scalar(text("SELECT pg_backend_pid()"))
        compiles = now.scalar(text("SELECT reset_val FROM pg_settings WHERE name = 'jit'"))
    is_pooled = settings.current().database_pooled
    if announced != at_work and not is_pooled:
        yield trouble(
            "pooler",
            "A pooler stands before PostgreSQL: unless it keeps sessions, statements fail that "
            "were prepared on another of its connections.",
            "Set IDP_DATABASE_POOLED=yes, or let it pool sessions.",
        )
    if is_pooled and compiles == "on":
        yield trouble(
            "pooler",
            "PostgreSQL compiles statements (jit), which takes longer than to run them, and behind "
            "a pooler we can't tell it not to.",
            "ALTER ROLE … SET jit = off, for the role of this process.",
        )


def _rows_agree() -> Findings:
    for each in invariants.quick_contradictions():
        yield trouble(
            "rows",
            f"{each.sentence} (such as {each.example}).",
            "That is a fault of ours, or somebody wrote past the provider: end what should have "
            "ended, and tell its makers.",
        )


def _backups_are_proved() -> Findings:
    proof = proofs.last_proof()
    if proof is None:
        words = "No backup was ever proved: nobody knows whether one can be restored."
    elif proof.state_of < clock.now() - proofs.OLD:
        words = (
            f"The newest state that is proved to come back from a backup is of "
            f"{proof.state_of:%Y-%m-%d %H:%M}Z (`idp backup verify` ran at {proof.at:%Y-%m-%d})."
        )
    else:
        return
    yield Finding(
        "notice",
        "backup",
        words,
        "Run `idp backup create … --verify` each night (idp-backup.timer).",
    )


def _proxy_is_believed() -> Findings:
    """What the running provider saw: a header of a proxy that IDP_TRUSTED_PROXIES does not name,
    or of one that it names and that writes no address.
    """
    for machine, mark in _seen_lately(marks.UNBELIEVED_PROXY):
        yield trouble(
            "trusted proxies",
            f"Requests came to {machine} from {mark.value} with X-Forwarded-For, which is not "
            f"believed (last at {mark.at:%Y-%m-%d %H:%M}Z): all its visitors count as one.",
            "If that is your proxy, name it in IDP_TRUSTED_PROXIES; if not, nobody but your "
            "proxy should reach this port.",
        )
    for machine, mark in _seen_lately(marks.UNREADABLE_PROXY):
        yield trouble(
            "trusted proxies",
            f"What {mark.value} writes into X-Forwarded-For to {machine} ends with no address "
            f"(last at {mark.at:%Y-%m-%d %H:%M}Z): all its visitors count as one.",
            "Have it write the visitor's address last, with or without a port.",
        )


def _seen_lately(kind: str) -> Iterator[tuple[str, InstallationMark]]:
    """The marks of proxies, each with the machine that made it."""
    for mark in marks.read(kind).values():
        if mark.at > clock.now() - PROXY_SEEN_WITHIN:
            yield mark.name.removeprefix(kind).strip(), mark


CHECKS: Final[tuple[Callable[[], Findings], ...]] = (
    _folders_take_files,
    _mail_server_answers,
    _database_takes_writes,
    _mails_leave,
    _applications_are_told,
    _imports_are_worked_on,
    _purge_runs,
    _audit_log_is_cut,
    _platform_is_counted,
    _connections_suffice,
    _pooler_is_known,
    _proxy_is_believed,
    _backups_are_proved,
    _rows_agree,
)
