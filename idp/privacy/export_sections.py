"""What the parts that every installation has keep about a guardian: sections of the export."""

from collections.abc import Iterable
from typing import Any, Final

from sqlalchemy import select

from idp.audit.models import AuditEvent
from idp.credentials import passkeys, passwords, recovery_codes, totp
from idp.credentials.models import EmailChange, FactorReset, KnownDevice, OneTimeToken
from idp.database import db
from idp.deliveries.models import EventDelivery
from idp.federation import links
from idp.mail.models import OutboxMessage
from idp.oidc import known_applications
from idp.oidc.models import ChildConsent, Consent, Grant
from idp.people import guardianships, staff
from idp.people.link_models import LinkRequest
from idp.people.models import Account, ErasureRequest
from idp.privacy import activity
from idp.privacy.export import Content, section
from idp.sessions.models import BrowserSession, PersistentLogin

MOST_EVENTS: Final = 10_000
"""An account that somebody attacks has many; a page must still answer."""

_OF_ACCOUNT: Final = (
    *("id", "username", "given_name", "family_name", "email", "email_verified_at"),
    *("locale", "status", "claimed_at", "first_sign_in_at", "last_sign_in_at", "end_announced_at"),
    *("created_at", "updated_at"),
)
_INSIDE: Final = frozenset({"sign_in", "new_device"})
"""Events whose network address is that of whoever used the account."""


def _mine(model: Any, account: Account) -> Iterable[Any]:
    key = model.__table__.primary_key.columns.values()
    return db.session.scalars(select(model).where(model.account_id == account.id).order_by(*key))


def _fields(row: Any, names: Iterable[str]) -> dict[str, Any]:
    return {name: getattr(row, name) for name in names}


def _rows(name: str, model: Any, *fields: str) -> None:
    """A section of what a table holds about the account: these fields of each row."""

    @section(name, tables=(model.__tablename__,))
    def rows(account: Account) -> Content:
        return [_fields(row, fields) for row in _mine(model, account)]


@section("account", tables=("accounts",))
def account(account: Account) -> Content:
    """Who I am here."""
    return {**_fields(account, _OF_ACCOUNT), "password_set_at": passwords.set_at(account.id)}


@section("children", tables=("guardianships",))
def children(account: Account) -> Content:
    """The children that I may see now, and what I am to them; of ended ones nothing (C2)."""
    return [
        {
            **_fields(child, ("id", "given_name", "family_name", "class_name", "sourced_id")),
            "school": child.school.name,
            "relationship": link.relationship,
            "since": link.created_at,
        }
        for child, link in guardianships.live_children(account.id)
    ]


@section("linked_accounts", tables=("federated_links",))
def linked_accounts(account: Account) -> Content:
    """With which other providers I may sign in."""
    fields = ("provider", "issuer", "subject", "linked_at", "last_used_at")
    return [_fields(link, fields) for link in links.of_account(account.id)]


@section(
    "second_factors",
    tables=("passkeys", "totp_secrets", "totp_enrolments", "recovery_codes", "staff_roles"),
)
def second_factors(account: Account) -> Content:
    """By what I prove myself besides the password, and what I am at a school."""
    row = totp.since(account.id)
    return {
        "passkeys": [
            {
                "name": each.name,
                "added_at": each.created_at.isoformat(),
                "last_used_at": each.last_used_at.isoformat() if each.last_used_at else None,
                "synchronised": each.backed_up,
                "authenticator_model": each.aaguid,
                "uses_counted": each.sign_count,
            }
            for each in passkeys.passkeys_of(account.id)
        ],
        "authenticator_app_since": row.created_at.isoformat() if row else None,
        "recovery_codes_left": recovery_codes.left(account.id),
        "staff_roles": [
            {"role": each.role, "school": each.school_id, "since": each.granted_at.isoformat()}
            for each in staff.roles_of(account.id)
        ],
    }


# Where I am or was signed in, as long as it is kept
_rows(
    *("sessions", BrowserSession, "id", "device", "amr", "acr", "auth_time", "proved_at"),
    *("created_at", "last_seen_at", "expires_at", "ended_at"),
)
# Browsers that stay signed in
_rows("staying_signed_in", PersistentLogin, "session_id", "created_at", "rotated_at", "expires_at")
# Browsers that my account knows; all that is kept is when each was last used
_rows("known_devices", KnownDevice, "last_seen_at")


@section("applications", tables=("grants", "consents", "child_consents"))
def applications(account: Account) -> Content:
    """The applications that know me, and what they may see."""
    return [
        {
            "application": knowing.client.name,
            "client_id": knowing.client.id,
            "scopes": knowing.scopes,
            "child_fields": knowing.child_fields,
            "children": knowing.children,
            "since": knowing.since,
            "allowed_at": knowing.allowed_at,
            "last_used_at": knowing.last_used_at,
        }
        for knowing in known_applications.of_account(account.id)
    ]


# What I allowed third parties, withdrawn or not
_rows("permissions", Consent, "client_id", "scope", "granted_at", "withdrawn_at")


@section("child_permissions", tables=("child_consents",))
def child_permissions(account: Account) -> Content:
    """What I allowed third parties to see of each child, withdrawn or not."""
    fields = ("client_id", "fields", "granted_at", "withdrawn_at")
    mine = {child.id for child, _link in guardianships.live_children(account.id)}
    return [
        {**_fields(row, fields), "child_id": row.child_id if row.child_id in mine else None}
        for row in _mine(ChildConsent, account)
    ]


@section("access", tables=("grants",))
def access(account: Account) -> Content:
    """Each access that applications were given, as long as it is kept."""
    fields = ("id", "client_id", "session_id", "scope", "auth_time", "created_at", "ended_at")
    mine = {child.id for child, _link in guardianships.live_children(account.id)}
    return [
        {**_fields(grant, fields), "child_id": grant.child_id if grant.child_id in mine else None}
        for grant in _mine(Grant, account)
    ]


# What applications were told had ended, as long as it is kept; of no child (C2)
_rows(
    *("told_applications", EventDelivery, "client_id", "event", "session_id", "status"),
    *("created_at", "finished_at"),
)
# The mails about my account, and what became of each
_rows("mails", OutboxMessage, "id", "kind", "status", "attempts", "created_at", "finished_at")
# When tokens were made for me and used; the tokens themselves are kept nowhere
_rows(
    *("connection_tokens", OneTimeToken, "purpose", "created_at", "expires_at", "opened_at"),
    *("spent_at", "ended_at"),
)


@section("email_changes", tables=("email_changes",))
def email_changes(account: Account) -> Content:
    """Changes of my address, as long as they are kept."""
    fields = ("old_email", "asked_at", "confirmed_at", "undone_at", "ended_at")
    return [
        # An address that I said is not mine may be another guardian's (security rule C3)
        {**_fields(row, fields), "new_email": None if row.undone_at else row.new_email}
        for row in _mine(EmailChange, account)
    ]


# Schools' questions whether a pupil is mine, and what I answered
_rows("link_requests", LinkRequest, "relationship", "asked_at", "answered_at", "answer")
# Requests of the school to have my second step reset, and mine to be erased; what became of them
_rows("factor_resets", FactorReset, "asked_at", "closed_at", "outcome")
_rows("erasure_requests", ErasureRequest, "asked_at", "closed_at", "outcome")


@section("history", tables=("audit_events",))
def activity_section(account: Account) -> Content:
    """What happened to my account. Details may name others' ids and stay out."""
    rows = activity.everything(account.id, MOST_EVENTS)
    return [_happening(account, event) for event in rows]


def _happening(account: Account, event: AuditEvent) -> dict[str, Any]:
    # The address of a refused attempt may be another person's (security rule C3)
    mine = event.actor == account.id or (event.event in _INSIDE and event.result == "ok")
    address = {"network_address": event.address} if mine and event.address else {}
    return {**_fields(event, ("at", "event", "result", "client_id", "session_id")), **address}
