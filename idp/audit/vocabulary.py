"""The audit log's vocabulary: each event with its fields, its words, and who may read it.

An event that is not here can't be recorded. The words are msgids (English sentences), marked here
for the catalogues and translated by the pages that show them.
"""

from collections.abc import Mapping
from typing import Final

from idp.audit.event_kinds import ANY, N_, Depending, Event, told_alike

ERASED: Final = ("account_erased", "child_erased")
"""By which it is known who was erased, as long as the trail goes back: ids that lead nowhere."""
ERASED_AGAIN: Final = "restored"
"""Why somebody is erased who was erased before: a backup had brought them back."""

VOCABULARY: Final[Mapping[str, Event]] = {
    # How is told by the methods, as the page of sessions tells it
    "sign_in": Event(fields="amr device", own=Depending("amr", {}, "")),
    "sign_in_refused": Event(
        fields="provider times",
        own=Depending(
            "result",
            {"throttled": N_("A sign-in was refused after too many attempts")},
            N_("A sign-in was refused: the password was wrong"),
        ),
    ),
    "session_ended": Event(
        fields="count",
        own=Depending(
            "count", {ANY: N_("Sessions on other devices were ended")}, N_("A session was ended")
        ),
        person=N_("A session was ended"),
    ),
    "session_renewed": Event(),
    "device_kept": Event(fields="days", own=N_("You chose to stay signed in on a device of yours")),
    "device_returned": Event(
        fields="device", own=N_("A device came back on which you stay signed in")
    ),
    "device_key_copied": Event(
        own=N_("A device that stays signed in was signed out: its key may have been copied"),
        is_surprising=True,
    ),
    "passkey_added": Event(fields="passkey", own=N_("A passkey was added")),
    "passkey_removed": Event(fields="count passkey why", own=N_("A passkey was removed")),
    "two_step_on": Event(own=N_("Two-step sign-in was switched on")),
    "two_step_off": Event(fields="why", own=N_("Two-step sign-in was switched off")),
    "recovery_codes_replaced": Event(own=N_("New recovery codes were made")),
    "recovery_code_used": Event(
        fields="left", own=N_("A recovery code was used"), is_surprising=True
    ),
    "factor_refused": Event(fields="passkey times why", own=N_("A code or a passkey was refused")),
    "factors_reset": told_alike(
        N_("The second step was reset"),
        fields="asked_by",
        own=N_("The school reset your second step"),
        is_platforms=True,
        is_surprising=True,
    ),
    "factors_reset_asked": Event(
        own=N_("Somebody at the school asked to have your second step reset"),
        person=N_("Somebody asked to have the second step reset"),
        school=N_("Somebody asked to have a second step reset"),
        is_platforms=True,
        is_surprising=True,
    ),
    "factors_reset_declined": Event(
        fields="asked_by",
        own=N_("Your second step was not reset"),
        person=N_("The second step was not reset"),
        school=N_("The reset of a second step was declined"),
        is_platforms=True,
    ),
    "factor_undone": Event(fields="kind", own=N_("A way to sign in was taken back by mail")),
    "step_up_declined": Event(),
    "role_granted": Event(
        fields="may_print role",
        own=N_("You were given a role at a school"),
        person=N_("A role at the desk was given"),
        school=N_("A role was given"),
        is_platforms=True,
    ),
    "role_revoked": Event(
        fields="role",
        own=N_("A role at a school was taken away from you"),
        person=N_("A role at the desk was taken away"),
        school=N_("A role was taken away"),
        is_platforms=True,
    ),
    "role_changed": told_alike(N_("A role was changed"), fields="changes role", is_platforms=True),
    "token_issued": told_alike(
        N_("A token was made"),
        fields="purpose token_id",
        own=Depending(
            "purpose",
            {"first_sign_in": N_("A token for the first sign-in was made")},
            N_("A token for a new password was mailed"),
        ),
    ),
    "token_refused": Event(fields="token_id times", own=N_("A token was refused")),
    "password_set": Event(fields="token_id", own=N_("A new password was chosen")),
    "password_changed": Event(own=N_("The password was changed")),
    "password_refused": Event(fields="times", own=N_("The current password was typed wrongly")),
    "child_chosen": Event(),
    "child_refused": Event(),
    "consent_given": Event(
        fields="child_fields scope", own=N_("You gave an application permission: %(application)s")
    ),
    "consent_withdrawn": Event(
        fields="count",
        own=Depending(
            "count",
            {ANY: N_("Permissions of applications were withdrawn")},
            N_("You withdrew an application's permission: %(application)s"),
        ),
    ),
    "grant_made": Event(fields="grant"),
    "grant_ended": Event(fields="count reason"),
    "code_reused": Event(fields="grant"),
    "refresh_reused": Event(fields="grant"),
    "token_revoked": Event(fields="kind"),
    "account_created": Event(
        fields="run",
        own=N_("The school opened your account"),
        person=N_("The account was made"),
        school=N_("An account was made"),
    ),
    "account_activated": Event(own=N_("Your account was used for the first time")),
    "account_disabled": Event(
        fields="run",
        person=N_("The account was disabled"),
        school=N_("An account was disabled"),
        is_platforms=True,
    ),
    "account_changed": Event(
        fields="run",
        own=N_("The school corrected your name"),
        person=N_("The name was corrected"),
        school=N_("An account was changed"),
        is_platforms=True,
    ),
    "username_changed": Event(
        fields="changes",
        own=N_("The school corrected your user name"),
        person=N_("The user name was corrected"),
        school=N_("A user name was corrected"),
        is_platforms=True,
    ),
    "account_enabled": Event(
        fields="run",
        own=N_("The school opened your account again"),
        person=N_("The account was enabled"),
        school=N_("An account was opened again"),
        is_platforms=True,
    ),
    "child_created": Event(fields="run", school=N_("A pupil was added")),
    "child_changed": Event(fields="changes run", school=N_("A pupil was changed")),
    "child_left": Event(fields="run", school=N_("A pupil left")),
    "child_returned": Event(fields="run", school=N_("A pupil came back")),
    "guardianship_made": Event(
        fields="changes run",
        own=N_("The school linked a child to your account"),
        person=N_("A pupil was linked"),
        school=N_("A guardian was linked to a pupil"),
    ),
    "guardianship_asked": told_alike(
        N_("A former guardian was asked about a pupil"),
        fields="changes",
        own=N_("A school asked to link a child to your account"),
    ),
    "guardianship_answered": told_alike(
        N_("A former guardian answered about a pupil"),
        fields="answer",
        own=N_("You answered a school's question"),
    ),
    "guardianship_question_ended": told_alike(
        N_("A question to a former guardian ended unanswered"),
        own=N_("A school's question to you ended"),
    ),
    "guardianship_question_withdrawn": told_alike(
        N_("A question to a former guardian was withdrawn"),
        fields="changes",
        own=N_("A school withdrew its question to you"),
    ),
    "guardianship_changed": Event(
        fields="changes run",
        own=N_("The school corrected what you are to a child"),
        person=N_("The relationship was changed"),
        school=N_("A relationship was corrected"),
    ),
    "guardianship_ended": Event(
        fields="changes run",
        own=N_("The school ended the link to a child"),
        person=N_("A guardianship was ended"),
        school=N_("A guardian was separated from a pupil"),
    ),
    "guardianship_restored": Event(
        fields="run",
        own=N_("The school restored the link to a child"),
        school=N_("A link between guardian and pupil was restored"),
    ),
    "roster_begun": Event(
        fields="format run schools", school=N_("A file was chosen for an import"), is_platforms=True
    ),
    "roster_answered": Event(
        fields="answers run", school=N_("Somebody decided who the people in an import are")
    ),
    "roster_applied": Event(fields="counts run", school=N_("An import was carried out")),
    "roster_held_back": Event(
        fields="run", school=N_("An import was held back: too much would have ended")
    ),
    "roster_undone": Event(fields="counts run", school=N_("An import was undone")),
    "client_created": Event(
        fields="changes", school=N_("An application was registered"), is_platforms=True
    ),
    "registration_token_made": Event(
        fields="token",
        school=N_("A token was made by which applications register themselves"),
        is_platforms=True,
    ),
    "registration_token_ended": Event(
        fields="token",
        school=N_("A token was ended by which applications register themselves"),
        is_platforms=True,
    ),
    "client_secret_rotated": Event(
        fields="overlap", school=N_("An application got a new secret"), is_platforms=True
    ),
    "client_disabled": Event(school=N_("An application was disabled"), is_platforms=True),
    "client_refused": Event(),
    "application_told": Event(
        fields="attempts delivery of",
        school=N_("An application was told that a guardianship has ended"),
    ),
    "application_not_told": Event(
        fields="attempts delivery of",
        school=N_("An application could not be told that a guardianship has ended"),
    ),
    "key_made": Event(fields="alg kid", school=N_("A signing key was made"), is_platforms=True),
    "key_rotated": Event(
        fields="forced", school=N_("The signing key was changed"), is_platforms=True
    ),
    "key_retired": Event(
        fields="alg kid", school=N_("A signing key was retired"), is_platforms=True
    ),
    # Of the platform, too; but the index of such events (migration 0047) does not know it
    "keys_moved": Event(fields="to"),
    "school_created": Event(school=N_("The school was added")),
    "mail_sent": Event(fields="attempts kind outbox_id"),
    "mail_refused": Event(fields="attempts kind outbox_id"),
    "profile_changed": Event(fields="field", own=N_("You chose another language")),
    "email_proved": Event(own=N_("Your e-mail address was confirmed by a token")),
    "email_change_asked": Event(fields="change_id", own=N_("Another e-mail address was asked for")),
    "email_change_cancelled": Event(own=N_("The change of e-mail address was cancelled")),
    "email_changed": Event(
        fields="by change_id run",
        own=Depending(
            "by",
            {"school": N_("The school changed your e-mail address")},
            N_("Your new e-mail address was confirmed"),
        ),
        person=N_("The e-mail address was changed"),
    ),
    "email_change_undone": Event(
        fields="change_id kept",
        own=N_("The change of e-mail address was undone"),
        is_surprising=True,
    ),
    "email_way_back_ended": told_alike(
        N_("A change of address can no longer be undone"),
        fields="by change_id",
        own=N_("The change of e-mail address can no longer be undone"),
        is_platforms=True,
    ),
    "email_change_refused": Event(fields="reason"),
    "new_device": Event(
        own=N_("This sign-in was from a browser that is new to your account"), is_surprising=True
    ),
    "data_downloaded": Event(own=N_("You downloaded your data")),
    "erasure_asked": Event(
        fields="request_id",
        own=N_("You asked to be erased"),
        school=N_("A guardian asked to be erased"),
    ),
    "erasure_closed": told_alike(
        N_("A request to be erased was closed"),
        fields="outcome request_id",
        own=Depending(
            "outcome",
            {
                "taken_back": N_("You withdrew your request to be erased"),
                "declined": N_("The school declined your request to be erased"),
            },
            N_("The school has dealt with your request to be erased"),
        ),
        is_platforms=True,
    ),
    "account_erased": Event(
        fields="why",
        school=N_("A guardian's data were erased"),
        person=N_("A guardian's data were erased"),
    ),
    "child_erased": Event(fields="why", school=N_("A pupil's data were erased")),
    "database_restored": Event(
        fields="*", school=N_("The database was restored from a backup"), is_platforms=True
    ),
    "settings_agreed": Event(
        school=N_("All machines take other secrets or keys from now on"), is_platforms=True
    ),
    "link_made": Event(fields="link provider", own=N_("Your account was linked to %(provider)s")),
    "link_refused": Event(fields="provider reason"),
    "link_ended": Event(
        fields="link provider reason",
        own=N_("The link to %(provider)s was removed"),
        person=N_("Link to another provider ended"),
    ),
    "left_to_school": Event(fields="provider"),
    "provider_refused": Event(fields="provider reason"),
    "deletion_requested": Event(fields="found provider"),
    "token_sent": told_alike(N_("A token was sent"), fields="kind", is_platforms=True),
    "school_invited": Event(school=N_("Everybody at the school who waited was invited")),
    "person_email_corrected": Event(
        fields="changes",
        person=N_("The e-mail address was corrected"),
        school=N_("An e-mail address was corrected"),
        is_platforms=True,
    ),
    "person_language_set": Event(
        fields="changes",
        person=N_("The language was changed"),
        school=N_("The language of a guardian was set"),
        is_platforms=True,
    ),
    "access_closed": told_alike(N_("Access was closed"), fields="changes", is_platforms=True),
    "accounts_merged": Event(
        fields="closed",
        person=N_("Another account was merged into this one"),
        school=N_("Two accounts of one person were merged"),
        is_platforms=True,
    ),
    "erasure_answered": Event(
        fields="changes",
        person=N_("The request to be erased was answered"),
        school=N_("A request to be erased was answered"),
    ),
    "school_changed": Event(fields="changes", school=N_("The school was changed")),
    "school_text_changed": Event(
        fields="changes kind locale", school=N_("The text of a mail was changed")
    ),
    "specimen_asked": told_alike(N_("A mail was sent as a trial"), fields="kind locale"),
    "mail_asked_again": told_alike(
        N_("A mail was sent once more"), fields="kind outbox_id", is_platforms=True
    ),
    "client_changed": Event(
        fields="changes", school=N_("An application was changed"), is_platforms=True
    ),
    "client_enabled": Event(school=N_("An application was opened again"), is_platforms=True),
    "client_secret_ended": Event(
        school=N_("An application's older secret was ended"), is_platforms=True
    ),
    "letter_printed": told_alike(N_("A letter with a token was printed")),
    "class_tokens_sent": Event(fields="changes", school=N_("A class was sent its tokens")),
}
