"""The events of an account's history in words that its owner understands."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from flask_babel import gettext as _

from idp.audit.models import AuditEvent
from idp.clients import registration
from idp.web.account.sessions import signed_in_how
from idp.web.signin.provider_offers import label_of


@dataclass(frozen=True)
class Happening:
    """One line of the history; ``warning``: its owner should have a look."""

    at: datetime
    words: str
    device: str = ""
    warning: bool = False


def told(event: AuditEvent) -> Happening:
    """The event in words; one that has none of its own is told as a change."""
    words = WORDS.get(event.event, _changed)(event)
    warning = event.result != "ok" or event.event in _SURPRISING
    return Happening(event.at, words, str(_detail(event).get("device") or ""), warning)


def _detail(event: AuditEvent) -> dict[str, Any]:
    return event.detail or {}


def _changed(_event: AuditEvent) -> str:
    return str(_("Your account was changed"))


def _sign_in(event: AuditEvent) -> str:
    return signed_in_how(_detail(event).get("amr") or ())


def _sign_in_refused(event: AuditEvent) -> str:
    if event.result == "throttled":
        return str(_("A sign-in was refused after too many attempts"))
    return str(_("A sign-in was refused: the password was wrong"))


def _session_ended(event: AuditEvent) -> str:
    if "count" in _detail(event):
        return str(_("Sessions on other devices were ended"))
    return str(_("A session was ended"))


def _token_issued(event: AuditEvent) -> str:
    if _detail(event).get("purpose") == "first_sign_in":
        return str(_("A token for the first sign-in was made"))
    return str(_("A token for a new password was mailed"))


def _link_made(event: AuditEvent) -> str:
    return str(_("Your account was linked to %(provider)s", provider=_provider(event)))


def _link_ended(event: AuditEvent) -> str:
    return str(_("The link to %(provider)s was removed", provider=_provider(event)))


def _provider(event: AuditEvent) -> str:
    return label_of(str(_detail(event).get("provider") or ""))


def _email_changed(event: AuditEvent) -> str:
    if _detail(event).get("by") == "school":
        return str(_("The school changed your e-mail address"))
    return str(_("Your new e-mail address was confirmed"))


def _consent_given(event: AuditEvent) -> str:
    name = _application(event)
    return str(_("You gave an application permission: %(application)s", application=name))


def _consent_withdrawn(event: AuditEvent) -> str:
    if event.client_id is None:
        return str(_("Permissions of applications were withdrawn"))
    name = _application(event)
    return str(_("You withdrew an application's permission: %(application)s", application=name))


def _application(event: AuditEvent) -> str:
    client = registration.find(event.client_id or "")
    return client.name if client else ""


def _erasure_closed(event: AuditEvent) -> str:
    match _detail(event).get("outcome"):
        case "taken_back":
            return str(_("You withdrew your request to be erased"))
        case "declined":
            return str(_("The school declined your request to be erased"))
    return str(_("The school has dealt with your request to be erased"))


WORDS: Final[dict[str, Callable[[AuditEvent], str]]] = {
    "sign_in": _sign_in,
    "sign_in_refused": _sign_in_refused,
    "session_ended": _session_ended,
    "new_device": lambda _event: str(
        _("This sign-in was from a browser that is new to your account")
    ),
    "token_issued": _token_issued,
    "token_refused": lambda _event: str(_("A token was refused")),
    "password_set": lambda _event: str(_("A new password was chosen")),
    "password_changed": lambda _event: str(_("The password was changed")),
    "password_refused": lambda _event: str(_("The current password was typed wrongly")),
    "link_made": _link_made,
    "link_ended": _link_ended,
    "passkey_added": lambda _event: str(_("A passkey was added")),
    "passkey_removed": lambda _event: str(_("A passkey was removed")),
    "two_step_on": lambda _event: str(_("Two-step sign-in was switched on")),
    "two_step_off": lambda _event: str(_("Two-step sign-in was switched off")),
    "recovery_codes_replaced": lambda _event: str(_("New recovery codes were made")),
    "recovery_code_used": lambda _event: str(_("A recovery code was used")),
    "factor_refused": lambda _event: str(_("A code or a passkey was refused")),
    "factors_reset": lambda _event: str(_("The school reset your second step")),
    "factors_reset_asked": lambda _event: str(
        _("Somebody at the school asked to have your second step reset")
    ),
    "factors_reset_declined": lambda _event: str(_("Your second step was not reset")),
    "factor_undone": lambda _event: str(_("A way to sign in was taken back by mail")),
    "role_granted": lambda _event: str(_("You were given a role at a school")),
    "role_revoked": lambda _event: str(_("A role at a school was taken away from you")),
    "email_proved": lambda _event: str(_("Your e-mail address was confirmed by a token")),
    "email_change_asked": lambda _event: str(_("Another e-mail address was asked for")),
    "email_change_cancelled": lambda _event: str(_("The change of e-mail address was cancelled")),
    "email_changed": _email_changed,
    "email_change_undone": lambda _event: str(_("The change of e-mail address was undone")),
    "email_way_back_ended": lambda _event: str(
        _("The change of e-mail address can no longer be undone")
    ),
    "profile_changed": lambda _event: str(_("You chose another language")),
    "consent_given": _consent_given,
    "consent_withdrawn": _consent_withdrawn,
    "account_created": lambda _event: str(_("The school opened your account")),
    "account_activated": lambda _event: str(_("Your account was used for the first time")),
    "account_changed": lambda _event: str(_("The school corrected your name")),
    "username_changed": lambda _event: str(_("The school corrected your user name")),
    "account_enabled": lambda _event: str(_("The school opened your account again")),
    "guardianship_made": lambda _event: str(_("The school linked a child to your account")),
    "guardianship_asked": lambda _event: str(_("A school asked to link a child to your account")),
    "guardianship_answered": lambda _event: str(_("You answered a school's question")),
    "guardianship_changed": lambda _event: str(_("The school corrected what you are to a child")),
    "guardianship_ended": lambda _event: str(_("The school ended the link to a child")),
    "guardianship_restored": lambda _event: str(_("The school restored the link to a child")),
    "data_downloaded": lambda _event: str(_("You downloaded your data")),
    "erasure_asked": lambda _event: str(_("You asked to be erased")),
    "erasure_closed": _erasure_closed,
}
"""The words of each kind in ``idp.lifecycle.history.KINDS``."""

_SURPRISING: Final = {
    "new_device",
    "email_change_undone",
    "recovery_code_used",
    "factors_reset",
    "factors_reset_asked",
}
