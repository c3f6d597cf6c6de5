"""The kinds of mail: what each is called at the desk, and what is decided by its kind."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from idp.audit.event_kinds import N_


@dataclass(frozen=True)
class Kind:
    """A kind of mail. Words are msgids, translated by the pages that show them."""

    person: str
    """On the page of the person whom it went to."""
    listed: str = N_("Notice about the account")
    """In the list of mails."""
    is_schools: bool = False
    """A school may see it. Others tell of sign-ins, devices and linked accounts, which may belong
    to another school, and are the guardian's own business (security rule C3)."""
    has_token: bool = False
    """What it brings is a token, for a first sign-in or another password."""
    anybody_asks: bool = False
    """Whoever knows an address, or holds an old token, may ask for it: limited for each address
    (security rule E3)."""


KINDS: Final[Mapping[str, Kind]] = {
    "invitation": Kind(
        N_("Invitation with a token"), N_("An invitation"), is_schools=True, has_token=True
    ),
    "fresh_token": Kind(
        N_("New token, asked for by the guardian"),
        N_("A new connection token"),
        is_schools=True,
        has_token=True,
        anybody_asks=True,
    ),
    "school_token": Kind(
        N_("New token, sent by the school"),
        N_("New token, sent by the school"),
        is_schools=True,
        has_token=True,
    ),
    "password_reset": Kind(
        N_("New password"),
        N_("To choose a new password"),
        is_schools=True,
        has_token=True,
        anybody_asks=True,
    ),
    "password_changed": Kind(
        N_("The password was changed"), N_("Notice: password changed"), is_schools=True
    ),
    "email_confirm": Kind(
        N_("Confirm the new e-mail address"),
        N_("To confirm a new address"),
        is_schools=True,
        anybody_asks=True,
    ),
    "email_change_asked": Kind(N_("Another e-mail address was asked for")),
    "email_changed": Kind(
        N_("The e-mail address was changed"), N_("Notice: address changed"), is_schools=True
    ),
    "email_changed_old": Kind(N_("The e-mail address was changed, to the old one")),
    "email_undone": Kind(N_("The old e-mail address is back")),
    "email_undone_new": Kind(N_("The old e-mail address is back, to the other one")),
    "email_way_back_ended": Kind(N_("A change of address can no longer be undone")),
    "new_device": Kind(N_("Sign-in from a new device")),
    "device_key_copied": Kind(N_("A device that stays signed in was signed out")),
    "account_corrected": Kind(N_("The school corrected the name or the user name")),
    "account_ends": Kind(N_("The account ends, for no child of theirs is at school")),
    "account_enabled": Kind(N_("The account was enabled")),
    "account_merged_away": Kind(N_("Two accounts became one")),
    "accounts_merged": Kind(N_("Two accounts became one")),
    "erasure_asked": Kind(N_("Request to be erased, to the school")),
    "erasure_closed": Kind(N_("Answer to the request to be erased")),
    "guardianship_asked": Kind(N_("Question whether a pupil is to be linked")),
    "guardianship_made": Kind(N_("A pupil was linked")),
    "role_given": Kind(N_("A role at the desk was given")),
    "role_taken": Kind(N_("A role at the desk was taken away")),
    "link_made": Kind(N_("Linked to another provider")),
    "link_removed": Kind(N_("Link to another provider removed")),
    "link_ended": Kind(N_("Link to another provider ended")),
    "passkey_added": Kind(N_("A passkey was added")),
    "passkey_removed": Kind(N_("A passkey was removed")),
    "passkeys_removed_at_claim": Kind(N_("A passkey was removed")),
    "two_step_on": Kind(N_("Two-step sign-in was switched on")),
    "two_step_off": Kind(N_("Two-step sign-in was switched off")),
    "recovery_codes_replaced": Kind(N_("New recovery codes were made")),
    "recovery_code_used": Kind(N_("A recovery code was used")),
    "factors_reset": Kind(N_("The second step was reset")),
    "factors_reset_asked": Kind(N_("Somebody asked to have the second step reset")),
    "factors_reset_declined": Kind(N_("The second step was not reset")),
    **dict.fromkeys(
        ("app_undone", "passkey_undone", "link_undone"),
        Kind(N_("A way to sign in was taken back by mail")),
    ),
    "specimen": Kind(N_("Test of a school's words"), N_("Test of a school's words")),
}
"""Each has a composer in ``idp.lifecycle.mails``."""

FOR_SCHOOLS: Final = tuple(name for name, kind in KINDS.items() if kind.is_schools)
WITH_TOKEN: Final = tuple(name for name, kind in KINDS.items() if kind.has_token)
ANYBODY_ASKS: Final = tuple(name for name, kind in KINDS.items() if kind.anybody_asks)
