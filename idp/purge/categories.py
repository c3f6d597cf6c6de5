"""What kind of data each column holds: the record of processing is made from this.

A column is found by its name, or by its table's and its own where one name means several things. A
test asks for every column of every table: nobody can add one and not say what it holds.
"""

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True)
class Category:
    """A kind of data. ``columns``: names, or ``table.name``, separated by spaces."""

    name: str
    words: str
    is_personal: bool
    columns: str


CATEGORIES: Final = (
    Category(
        "name",
        "given and family names, user names, and the forms in which the search finds them",
        True,
        "given_name family_name old_given_name old_family_name name_key username username_key"
        " directory_entries.text directory_entries.place",
    ),
    Category(
        "e-mail address",
        "e-mail addresses of guardians, now and before a change",
        True,
        "email email_key old_email old_email_key new_email undo_email",
    ),
    Category(
        "number",
        "by what a school's list or another provider calls a person",
        True,
        "sourced_id pupil_number old_pupil_number pupil_sourced_id guardian_sourced_id twin_of"
        " federated_links.subject pending_links.subject pending_links.shown",
    ),
    Category(
        "school life",
        "which class a pupil is in, who is whose guardian and what they are to the child",
        True,
        "class_name old_class_name relationship old_relationship left_at old_left_at ended_code"
        " guardianships.ended_reason roster_classes.title roster_identities.label",
    ),
    Category(
        "account",
        "state and language of an account, and roles at a school's desk",
        True,
        "accounts.locale accounts.status role may_print credentials_epoch claimed_at"
        " email_verified_at accounts.closed_at end_announced_at passkey_offered_at",
    ),
    Category(
        "secret",
        "hashes of passwords, tokens and codes, and sealed secrets: they say nothing of a person"
        " and open nothing",
        True,
        "passwords.hash browser_hash challenge_hash code_hash device_hash family_hash jti_hash"
        " key_hash previous_hash previous_secret_hash recipient_hash registration_token_hash"
        " secret_hash state_hash token_hash uri_hash user_hash sent_to sealed_secret"
        " sealed_token form_submissions.answer typed pending_proof throttle_counters.key"
        " credential_id public_key code_challenge confirmation dpop_jkt nonce",
    ),
    Category(
        "device and network",
        "network addresses, browsers in words, keys of devices",
        True,
        "audit_events.address device passkeys.name aaguid transports backed_up backup_eligible"
        " sign_count last_step",
    ),
    Category(
        "use",
        "when somebody signed in, was seen, asked or answered, and by which way",
        True,
        "first_sign_in_at last_sign_in_at last_seen_at last_used_at auth_time auth_time_proved"
        " proved_at amr acr asked_at answered_at confirmed_at undone_at disputed_until linked_at"
        " opened_at spent_at used_at set_at rooted_at rotated_at selected_at pending_at"
        " completed_at closed_at granted_at withdrawn_at consented stays goes_without by_school"
        " undoable",
    ),
    Category(
        "application's access",
        "which application a guardian uses, for which child, and what it may see",
        True,
        "scope child_fields fields claims child_selection child_selected_at child_switchable"
        " resource request redirect_uri next_path max_age link_ended",
    ),
    Category(
        "answer",
        "what was answered to a question or a request, and what became of a mail",
        True,
        "outcome link_requests.answer roster_answers.answer roster_questions.answer"
        " outbox.answer event_deliveries.answer meaning denied_because",
    ),
    Category(
        "matter of a mail",
        "what a mail speaks of: the browser, in words, from which somebody acted, and until it has"
        " left an e-mail address that it goes to",
        True,
        "outbox.about",
    ),
    Category(
        "words from files and staff",
        "what stands in a school's list, and what staff wrote: may name a person",
        True,
        "cells who roster_remarks.old roster_remarks.new roster_previews.report"
        " audit_events.detail roster_rejections.about upload",
    ),
    Category(
        "pseudonym",
        "random ids that stand for a person or a thing, and who did something, by such an id",
        True,
        "id account_id child_id client_id session_id school_id run_id request_id grant_id"
        " guardianship_id interaction_id link_id outbox_id passkey_id persistent_login_id"
        " other_account_id other_child_id new_child_id new_guardianship_id new_subject_id"
        " subject_id change_id token_id verified_token_id signed_in_session_id correlation_id"
        " actor asked_by closed_by answered_by made_by registered_by holder",
    ),
    Category(
        "school",
        "what a school shows of itself; its contact is whom it names",
        True,
        "contact_email contact_name contact_phone",
    ),
    Category(
        "school's settings",
        "what a school shows of itself and how its lists are read",
        False,
        "schools.name colour logo_digest logo_png schools.locale school_texts.locale languages"
        " hidden_providers stay_signed_in_days keep_leavers_days opening closing org_sourced_id"
        " district mapping username_pattern school_texts.kind",
    ),
    Category(
        "application",
        "an application's registration and what it did wrong; its contacts are its developer's",
        False,
        "clients.name metadata sector settled disabled_at schools pkce_optional uses_left"
        " registration_tokens.label endpoint error reason client_logos.address digest png"
        " previous_secret_expires_at failures until",
    ),
    Category(
        "state of work",
        "counts, steps and times by which the provider works",
        False,
        "created_at updated_at expires_at ended_at revoked_at issued_at redeemed_at finished_at"
        " due_at applied_at last_at denied_at next_poll_at lease_until blocked_until at status"
        " state event kind result purpose attempts refused poll_interval version done total"
        " number line lines file code key how task trouble format delta fingerprint options"
        " reading changes roster_run_schools.report present disabled keeps_guardians"
        " lists_agents provider issuer grants.ended_reason roster_questions.subject"
        " installation_marks.name value platform_counts.name numbers counted_at kid alg"
        " stored_keys.public stored_keys.place stored_keys.private signs_since retired_at",
    ),
)

OF_COLUMN: Final = {name: each for each in CATEGORIES for name in each.columns.split()}


def find_category(table: str, column: str) -> Category | None:
    """What a column holds; None: nobody has said so."""
    return OF_COLUMN.get(f"{table}.{column}") or OF_COLUMN.get(column)
