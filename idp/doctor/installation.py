"""What ``idp check`` finds in database, keys and clients; needs an application context."""

from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Final

from sqlalchemy import func, select
from sqlalchemy.exc import SQLAlchemyError

from idp import clock
from idp.audit import continuity, removal
from idp.clients import registration
from idp.credentials import factors
from idp.database import db
from idp.doctor import Finding, Findings, hanging, trouble
from idp.oidc.keyring import keyring
from idp.oidc.keys import ALGORITHMS, ENCRYPTION, NEEDED, KeyTrouble
from idp.people import staff
from idp.readiness import agreement, schema
from idp.settings import variable

MOST_CLOCK_SKEW: Final = timedelta(seconds=5)
OLDEST_KEY: Final = timedelta(days=365)


def of_installation() -> list[Finding]:
    """What database, keys and clients tell; a database that is away is one finding."""
    findings = []
    for check in INSTALLATION_CHECKS:
        try:
            findings += list(check())
        except SQLAlchemyError as error:
            findings.append(_database_away(error))
            break
    return findings


def _schema_is_newest() -> Findings:
    state = schema()
    if state.serves and not state.up_to_date:
        yield Finding(
            "notice",
            "schema",
            f"The database is at schema {state.current}, which is newer than this version's.",
            "Fine during a rolling upgrade; then upgrade this machine too.",
        )
    elif not state.up_to_date:
        yield Finding(
            "danger",
            "schema",
            f"The database is at schema {state.current or '(none)'}, this version needs "
            f"{state.newest}.",
            "Back it up and run `idp db upgrade`.",
        )


def _history_goes_on() -> Findings:
    if not schema().serves:
        return
    try:
        continuity.refuse_other_history()
    except continuity.HistoryTrouble as trouble:
        yield Finding(
            "danger",
            "history",
            f"{trouble}.",
            "It asks who was erased since, to erase them again: `--erasures-from`, or"
            " `--erasures-unknown`. See « Backup and restore » in docs/operator.md.",
        )


def _machines_agree() -> Findings:
    if not schema().up_to_date:
        return
    with suppress(KeyTrouble):  # said by the check of the keys themselves
        for difference in agreement.differences():
            yield Finding("danger", "machines", f"{difference}.", agreement.NEXT_STEP)


def _no_secret_is_missed() -> Findings:
    if not schema().up_to_date:
        return
    for gone in hanging.lost():
        counts = ", ".join(f"{count} {name}" for name, count in gone.counts.items())
        yield Finding(
            "danger",
            "secrets",
            f"A secret that is not in {variable(gone.name)} any more made what nobody can use now: "
            f"{counts}.",
            "Put it back, behind the newest one; see `idp secrets status`.",
        )


def _clocks_agree() -> Findings:
    if db.engine.dialect.name == "sqlite":
        return  # one machine, one clock
    skew = abs(_database_time() - clock.now())
    if skew > MOST_CLOCK_SKEW:
        yield trouble(
            "clock",
            f"The clocks of this machine and of the database are {skew.total_seconds():.0f} s "
            "apart: tokens expire early or late.",
            "Let both follow the same time servers (NTP).",
        )


def _keys_sign() -> Findings:
    try:
        for alg in NEEDED:
            keyring().signing_key(alg)
        entries = keyring().entries()
    except KeyTrouble as trouble:
        yield Finding(
            "danger", "keys", f"{trouble}.", "`idp serve` refuses to start until it is so."
        )
        return
    present = {entry.alg for entry in entries if entry.state == "current"}
    if missing := [alg for alg in (*ALGORITHMS, *ENCRYPTION) if alg not in present]:
        yield Finding(
            "notice",
            "keys",
            f"There is no key for {', '.join(missing)}, which no application can ask for.",
            "Run `idp keys ensure`, on one machine where several share the keys.",
        )
    for entry in entries:
        since = entry.signs_since or entry.created_at
        age = clock.now() - datetime.fromisoformat(since)
        if entry.state == "current" and not entry.encrypts and age > OLDEST_KEY:
            yield Finding(
                "notice",
                "keys",
                f"The {entry.alg} key {entry.kid[:12]} has been signing for {age.days} days.",
                "Run `idp keys rotate`, once a year at least.",
            )


def _the_audit_log_is_kept() -> Findings:
    if schema().serves and removal.may_delete(db.session):
        yield Finding(
            "notice",
            "audit trail",
            "The database's role of this process may delete from it, once it says that it purges.",
            'Only the purge needs that: see "A role that serves" in docs/operator.md.',
        )


def _clients() -> Findings:
    if not schema().up_to_date:
        return
    for client in registration.list_clients():
        if client.disabled_at is not None:
            continue
        name = f"client {client.id}"
        if not client.metadata_.get("require_pkce", True):
            yield Finding(
                "notice",
                name,
                f"« {client.name} » may leave PKCE out.",
                "Register it anew without --no-pkce once its library can (RFC 9700 §2.1.1).",
            )
        expires = client.previous_secret_expires_at
        if client.previous_secret_hash and expires is not None and expires > clock.now():
            yield Finding(
                "notice",
                name,
                f"The former secret of « {client.name} » works until {expires:%Y-%m-%d %H:%M}Z.",
                "Make sure that the application has the new one by then.",
            )


def _staff_have_a_second_factor() -> Findings:
    if not schema().up_to_date:
        return
    for role, account in staff.everybody():
        if account.status == "disabled" or factors.load(account.id).any:
            continue
        yield Finding(
            "notice",
            f"staff {account.username}",
            f"« {account.username} » is {role.role} and has no second factor yet.",
            "They are led through setting one up at their next sign-in; until then, whoever knows "
            "the password may set up their own.",
        )


INSTALLATION_CHECKS: Final[tuple[Callable[[], Findings], ...]] = (
    _keys_sign,
    _schema_is_newest,
    _history_goes_on,
    _machines_agree,
    _no_secret_is_missed,
    _clocks_agree,
    _clients,
    _staff_have_a_second_factor,
    _the_audit_log_is_kept,
)


def _database_away(error: SQLAlchemyError) -> Finding:
    reason = str(getattr(error, "orig", None) or type(error).__name__).strip().splitlines()[0]
    return Finding(
        "danger",
        "database",
        f"The database can't be asked: {reason}.",
        "Check DATABASE_URL, and that the database runs.",
    )


def _database_time() -> datetime:
    with db.engine.connect() as connection:
        moment: datetime = connection.execute(select(func.now())).scalar_one()
    return moment.astimezone(UTC)
