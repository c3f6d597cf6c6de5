"""How long each table's rows are kept, in words, from the rules themselves; and why, and who sees
them: what a data protection officer is handed (docs/privacy).
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from idp import settings
from idp.audit import partitions
from idp.credentials import throttling
from idp.people.schools import LEAVERS_KEPT
from idp.purge import rules
from idp.purge.leavers import LAST_WORDS, NOTICE, REGRET
from idp.purge.walking import Growing
from idp.roster.reading import RESUME_WITHIN
from idp.roster.runs import UNDO_WITHIN

_AFTER: Final = {
    "expires_at": "it has expired",
    "created_at": "it was made",
    "updated_at": "its last change",
    "last_seen_at": "it was last used",
}
_STAGED: Final = "until the import is over; {days} at the most"
DATED: Final[dict[str, Callable[[], str]]] = {
    "one_time_tokens": lambda: (
        f"{_time(rules.MARGIN)} after it has expired; one that was not used,"
        f" {_time(rules.EXPIRED_TOKENS_KEPT)}"
    ),
    "erasure_requests": lambda: f"{_time(settings.current().audit_retention)} after the answer",
    "grants": lambda: (
        "with the last token that hangs on it; where the application is told of what ends,"
        f" {_time(rules.KNOWN_LATELY)}"
    ),
    "browser_sessions": lambda: (
        f"{_time(rules.MARGIN)} after it has expired; longer where its browser stays signed in, or"
        " an application's access stands on it"
    ),
    "throttle_counters": lambda: f"{_time(throttling.KEPT + rules.MARGIN)} after its last change",
    "outbox": lambda: (
        f"{_time(rules.MAIL_KEPT)} after it was made, once it has left or was given up"
    ),
    "event_deliveries": lambda: (
        f"{_time(rules.DELIVERIES_KEPT)} after it was made, once it was told or given up; that an"
        " account is closed, as long as it is"
    ),
    "roster_rejections": lambda: f"{_time(RESUME_WITHIN + rules.MARGIN)} after the file was read",
    "roster_changes": lambda: f"{_time(UNDO_WITHIN + rules.MARGIN)} after the import was applied",
    "roster_remarks": lambda: f"{_time(UNDO_WITHIN + rules.MARGIN)} after the import was applied",
    "audit_events": lambda: (
        f"{_time(settings.current().audit_retention)}, on PostgreSQL up to"
        f" {_time(partitions.LATE)} more, with the rest of its month"
    ),
}
_PEOPLE: Final[dict[str, Callable[[], str]]] = {
    "children": lambda: (
        "as long as the pupil is at school; then for the school's period:"
        f" {_usual_period()} unless the school says otherwise, from {LEAVERS_KEPT[0]} to"
        f" {LEAVERS_KEPT[1]:,} days"
    ),
    "accounts": lambda: (
        "as long as a child of the holder's is at a school, or they work at a desk; then for the"
        f" longest period of their schools ({_usual_period()} unless a school says otherwise), with"
        f" a mail {_time(NOTICE)} before its end; erased {_time(LAST_WORDS)} after it. One that"
        f" never had a child: {_usual_period()} from its last use or change, likewise. One whose"
        f" erasure was agreed to: {_time(REGRET)} after the answer, once it is disabled or no child"
        f" is linked; erased {_time(LAST_WORDS)} after it was closed"
    ),
}

_WITH_ACCOUNT: Final = "with the account"
LASTING: Final = {
    **dict.fromkeys(
        ("consents", "child_consents"), _WITH_ACCOUNT + ", or the child; withdrawn ones too"
    ),
    "passwords": _WITH_ACCOUNT,
    **dict.fromkeys(
        ("passkeys", "totp_secrets", "recovery_codes", "federated_links"),
        _WITH_ACCOUNT + ", or until the holder takes it away",
    ),
    "staff_roles": "until it is taken away",
    "directory_entries": "with the account, or the child",
    "guardianships": "with the account, or the child, whichever is erased first",
    "roster_guardianships": "with the guardianship",
    "roster_identities": "with the account, or the child; of classes with the school",
    "child_choices": "with the session",
    "email_change_links": "with the change",
    "erasure_answers": "with the request",
    **dict.fromkeys(("roster_run_schools", "roster_jobs"), "with the import"),
    **dict.fromkeys(
        ("schools", "school_texts", "roster_sources"), "as long as the school takes part"
    ),
    **dict.fromkeys(
        ("clients", "client_schools", "client_logos", "registration_tokens"),
        "as long as the operator keeps the application",
    ),
    "client_refusals": "the newest 30 of each application",
    "delivery_pauses": "until the application answers again",
    **dict.fromkeys(
        ("database_identity", "platform_counts", "installation_marks", "key_lists"),
        "as long as the installation is there",
    ),
    "stored_keys": "until the key is retired; then until a later change of the keys",
}
"""Of tables that no rule looks at: what their rows leave with."""


@dataclass(frozen=True)
class Topic:
    """Tables that serve one purpose. ``ground``: a proposal for the legal ground (GDPR Art. 6)."""

    name: str
    people: str
    purpose: str
    seen_by: str
    ground: str
    changed_by: str
    tables: str


_TASK: Final = "public task or contract of the school (Art. 6(1)(e) or (b))"
_SAFETY: Final = "security of processing (Art. 6(1)(f), Art. 32)"
_LAW: Final = "legal obligation (Art. 6(1)(c))"
_STAFF: Final = "the school's staff within their school, operators, the person"
_NOBODY: Final = "nobody: the program alone"
_LEAVERS: Final = "the school's page, « How long those who left are kept »; `IDP_KEEP_LEAVERS_DAYS`"
_FIXED: Final = "fixed"

TOPICS: Final = (
    Topic(
        "Guardians' accounts", "guardians, staff", "to let a guardian sign in", _STAFF, _TASK,
        _LEAVERS, "accounts passwords directory_entries staff_roles",
    ),
    Topic(
        "Pupils and their guardians", "pupils, guardians",
        "to know whose data a guardian may see", _STAFF + ", applications of the school", _TASK,
        _LEAVERS, "children guardianships roster_guardianships roster_identities link_requests",
    ),
    Topic(
        "Proofs of who signs in", "guardians, staff", "passwords, passkeys, second steps, other"
        " accounts", "the person; operators see that they exist", _SAFETY,
        "the person, on their own page",
        "passkeys totp_secrets recovery_codes federated_links passkey_challenges totp_enrolments"
        " factor_resets one_time_tokens",
    ),
    Topic(
        "Sessions and devices", "guardians, staff", "to keep somebody signed in, and to notice"
        " strangers", "the person", _SAFETY,
        "`IDP_SESSION_ABSOLUTE`, `IDP_STAY_SIGNED_IN_DAYS`, the school's page",
        "browser_sessions persistent_logins known_devices child_choices interactions"
        " form_submissions federation_states pending_links throttle_counters",
    ),
    Topic(
        "Applications' access", "guardians, pupils",
        "to give applications of the school what they may see", "the person, the application",
        "the school's task; third parties: consent (Art. 6(1)(a))",
        "lifetimes of tokens in settings",
        "grants authorization_codes access_tokens refresh_tokens device_codes pushed_requests"
        " consents child_consents event_deliveries",
    ),
    Topic(
        "Mails", "guardians", "to invite, to give a way back, to warn", "operators; the school for"
        " its own; of no mail the words are kept", _TASK, _FIXED, "outbox",
    ),
    Topic(
        "Changes of address", "guardians", "to confirm an address, and to give back one that"
        " somebody else took", "the person", _SAFETY, _FIXED, "email_changes email_change_links",
    ),
    Topic(
        "Requests to be erased", "guardians", "to answer them, and to show that they were answered",
        "the schools that were asked, operators", _LAW, "`IDP_AUDIT_RETENTION`",
        "erasure_requests erasure_answers deletion_requests",
    ),
    Topic(
        "Imports of a school's list", "pupils, guardians", "to read the list, to ask about doubtful"
        " rows, to take an import back", "who imports for the school, operators", _TASK, _FIXED,
        "roster_runs roster_run_schools roster_jobs roster_pupils roster_guardians roster_links"
        " roster_classes roster_matches roster_pairs roster_rejections roster_previews"
        " roster_questions roster_answers roster_changes roster_remarks",
    ),
    Topic(
        "Audit trail", "everybody", "to show who did what, and to find misuse",
        "operators; a school what was done for it; the person what happened to their account",
        _SAFETY, "`IDP_AUDIT_RETENTION`", "audit_events",
    ),
    Topic(
        "Schools", "the contact that the school names", "to show parents whose page it is, and whom"
        " to ask", "everybody who opens a page of the school", _TASK, "the school's page",
        "schools school_texts roster_sources",
    ),
    Topic(
        "Applications", "their developers' contacts", "to know the applications of the schools",
        "operators, managers of the schools", _TASK, "operators",
        "clients client_schools client_logos client_refusals registration_tokens used_assertions"
        " delivery_pauses",
    ),
    Topic(
        "The installation itself", "nobody", "to work", _NOBODY, "none is needed", _FIXED,
        "database_identity platform_counts installation_marks stored_keys key_lists",
    ),
)  # fmt: skip


def describe_period(table: str) -> str:
    """How long rows of a table are kept, in one sentence's words, with this machine's settings."""
    if table in _PEOPLE:
        return _PEOPLE[table]()
    if table in LASTING:
        return LASTING[table]
    growing = {each.name: each for each in rules.GROWING}[table]
    if table in DATED:
        return DATED[table]()
    if growing.age is None:
        return _STAGED.format(days=_time(RESUME_WITHIN + rules.MARGIN))
    return _plain(growing)


def _plain(growing: Growing) -> str:
    assert growing.age is not None
    column, kept = growing.age
    return f"{_time(kept())} after {_AFTER[column.key]}"


def _usual_period() -> str:
    return _time(timedelta(days=settings.current().keep_leavers_days))


def _time(length: timedelta) -> str:
    """« a day », « 30 days », « 6 hours »."""
    hours = length // timedelta(hours=1)
    number, unit = (hours // 24, "day") if hours % 24 == 0 else (hours, "hour")
    if number == 1:
        return f"a{'n' if unit == 'hour' else ''} {unit}"
    return f"{number:,} {unit}s"
