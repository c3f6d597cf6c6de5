"""What ends with what: a table, cause → things, each with which of them.

``endings.end`` reads it; nothing else ends any of these things. The rules behind the rows are P5,
P14, P15, C2, N4, O4, O6, R9, S1 and S6 of security.md, which shows the table.
"""

from collections.abc import Mapping
from enum import StrEnum
from typing import Final

from idp.mail import answers


class Thing(StrEnum):
    """What may end, in the order in which it does."""

    PROOFS = "proofs"
    """Proofs that are being judged: the account's epoch moves."""
    PASSWORD = "password"  # noqa: S105 - a word
    PASSKEYS = "passkeys"
    RECOVERY_CODES = "recovery_codes"
    APP = "app"
    ENROLMENTS = "totp_enrolments"
    LINKS = "links"
    SESSIONS = "sessions"
    CHOICES = "child_choices"
    CONSENTS = "consents"
    CHILD_CONSENTS = "child_consents"
    GRANTS = "grants"
    DEVICE_CODES = "device_codes"
    """Those of screens that wait for an answer; an answered one hangs on its grant."""
    REGISTRATION_TOKENS = "registration_tokens"
    """By which applications register themselves."""
    MANAGEMENT = "registration_access_tokens"
    """With which applications manage their registration."""
    TOKENS = "one_time_tokens"
    ADDRESS_CHANGES = "email_changes"
    """Those that wait for their confirmation."""
    WAYS_BACK = "ways_back"
    """Rights of a former address to take the account back."""
    DISPUTES = "disputes"
    DEVICES = "known_devices"
    STEPS = "steps"
    """What somebody proved and chose in the requests that wait in a browser."""
    WAITING_IDENTITIES = "waiting_identities"
    PROVIDER_REQUESTS = "federation_states"
    FORMS = "forms"
    """Answers that are kept for a form that is sent twice."""
    CHALLENGES = "passkey_challenges"
    INTERACTIONS = "interactions"
    MAILS = "mails"
    QUESTIONS = "link_requests"
    """What schools ask a former guardian, and nobody has answered."""


class By(StrEnum):
    """Which of a thing end with a cause."""

    ITSELF = "by the act itself"
    """Of what the act is about, and done where it is done; ``end`` does the rest."""
    ACCOUNT = "all of the account"
    OTHERS = "all of the account but what goes on"
    SINCE = "what was gained since"
    PAIR = "of this guardian for this child"
    SCHOOL = "of this guardian at these schools"
    SESSION = "of these sessions"
    ONLINE = "of these sessions, but not what is to outlive them"
    PERMISSION = "of this application for this guardian"
    CLIENT = "all of the application"
    BROWSER = "all in the browser"
    ELSEWHERE = "all in the browser but in this request"
    EVERYBODY = "everybody's"


class Cause(StrEnum):
    """Why something ends."""

    GUARDIANSHIP_ENDED = "a guardianship ends"
    SEPARATED = "a guardianship ends by a court's decision or the guardian's own"
    ACCESS_CLOSED = "a school closes access"
    QUESTIONS_ENDED = "a court or the guardian decides while a school only asks"
    ACCOUNT_DISABLED = "an account is disabled"
    ACCOUNT_CLOSED = "an account is closed with its last guardianship"
    CLAIMED = "an account is claimed for the first time"
    RESET = "a password is reset, or a provider linked, by a mailed token"
    RESET_BY_PASSKEY_ONLY = "the same, where a passkey is the only second factor of who needs one"
    PASSWORD_CHANGED = "a password is changed with the one before it"  # noqa: S105 - words
    ADDRESS_ASKED = "another address is asked for"
    ADDRESS_CANCELLED = "a change of address is cancelled"
    ADDRESS_CONFIRMED = "another address is confirmed by its holder"
    ADDRESS_CORRECTED = "another address is given by the school"
    ADDRESS_TAKEN_BACK = "a change of address is undone, and the password goes back to before it"
    ADDRESS_TAKEN_BACK_FROM_CLAIM = "a change of address is undone, and the password does not"
    WAY_BACK_ENDED = "a way back is ended"
    PASSKEY_REMOVED = "a passkey is removed"
    APP_REMOVED = "two-step sign-in is switched off"
    CODES_REPLACED = "recovery codes are replaced"
    FACTORS_RESET = "a lost second step is reset"
    PASSKEY_UNDONE = "a passkey is taken back by a mail's link"
    APP_UNDONE = "two-step sign-in is taken back by a mail's link"
    LINK_UNDONE = "a linked account is taken back by a mail's link"
    LINK_ENDED = "a link to a provider ends"
    ROLE_GIVEN = "a role is given"
    ROLE_TAKEN = "a role is taken away"
    SIGNED_OUT = "a session is ended"
    OTHERS_SIGNED_OUT = "all other sessions are ended"
    DEVICE_KEY_COPIED = "a device key is used again"
    BROWSER_LEFT = "a person leaves a browser"
    BROWSER_ENTERED = "a person signs in in a browser"
    CONSENT_WITHDRAWN = "a consent is withdrawn"
    CLIENT_DISABLED = "an application is disabled, or enabled again"
    ADDRESSES_SHOWN = "a third party is shown real addresses from now on"
    OURS_NO_MORE = "an application is the schools' own no more"
    CODE_REUSED = "a code is used again"
    REFRESH_REUSED = "a refresh token is used again"
    REVOKED = "an application revokes a refresh token"
    TOKEN_MADE = "a newer one-time token is made"  # noqa: S105 - words
    MAIL_LOST = "a mail with a token is known not to have left"
    DATABASE_RESTORED = "the database was restored from a backup"


_ENTERED: Final = dict.fromkeys((Thing.PROOFS, Thing.SESSIONS, Thing.GRANTS), By.ACCOUNT)
_WITH_ACCOUNT: Final = {
    **_ENTERED,
    Thing.TOKENS: By.ACCOUNT,
    # What was confirmed may still be undone: else a thief would set a password to be safe from
    # that, and closing and linking again would use it up
    Thing.ADDRESS_CHANGES: By.ACCOUNT,
    Thing.DEVICES: By.ACCOUNT,
}
_RESET: Final = {
    **_WITH_ACCOUNT,
    Thing.PASSWORD: By.ITSELF,
    Thing.LINKS: By.ACCOUNT,
    Thing.DISPUTES: By.ACCOUNT,
}
_TAKEN_BACK: Final = {
    **_WITH_ACCOUNT,
    Thing.PASSKEYS: By.SINCE,
    Thing.LINKS: By.SINCE,
    Thing.CONSENTS: By.SINCE,
    Thing.CHILD_CONSENTS: By.SINCE,
    Thing.WAYS_BACK: By.SINCE,
}

_WITH_GUARDIANSHIP: Final = dict.fromkeys(
    (Thing.CHOICES, Thing.CHILD_CONSENTS, Thing.GRANTS), By.PAIR
)

Row = Mapping[Thing, By]

ENDINGS: Final[Mapping[Cause, Row]] = {
    Cause.GUARDIANSHIP_ENDED: _WITH_GUARDIANSHIP,
    # Else an older question's yes would outlive the decision (rule N4)
    Cause.SEPARATED: {**_WITH_GUARDIANSHIP, Thing.QUESTIONS: By.SCHOOL},
    Cause.ACCESS_CLOSED: {**_WITH_GUARDIANSHIP, Thing.QUESTIONS: By.SCHOOL},
    Cause.QUESTIONS_ENDED: {Thing.QUESTIONS: By.SCHOOL},
    Cause.ACCOUNT_DISABLED: {
        **_WITH_ACCOUNT, Thing.PROOFS: By.ITSELF, Thing.QUESTIONS: By.ACCOUNT,
    },
    # What another school asks goes on: its yes opens the account, and neither learns of the other
    Cause.ACCOUNT_CLOSED: {**_WITH_ACCOUNT, Thing.PROOFS: By.ITSELF},
    Cause.CLAIMED: {
        **_RESET,
        Thing.PASSKEYS: By.ACCOUNT,
        Thing.RECOVERY_CODES: By.ACCOUNT,
        Thing.APP: By.ACCOUNT,
        Thing.ENROLMENTS: By.ACCOUNT,
    },
    # A passkey is a way in of its own; an app stays and is asked
    Cause.RESET: {**_RESET, Thing.PASSKEYS: By.ACCOUNT},
    # A mailbox alone must not get past the second factor (ASVS 5.0, 6.4.3)
    Cause.RESET_BY_PASSKEY_ONLY: _RESET,
    Cause.PASSWORD_CHANGED: {
        **_WITH_ACCOUNT,
        Thing.PASSWORD: By.ITSELF,
        Thing.SESSIONS: By.OTHERS,
        Thing.GRANTS: By.OTHERS,
        Thing.DEVICES: By.OTHERS,
    },
    Cause.ADDRESS_ASKED: {Thing.ADDRESS_CHANGES: By.ITSELF},
    Cause.ADDRESS_CANCELLED: {Thing.ADDRESS_CHANGES: By.ITSELF},
    Cause.ADDRESS_CONFIRMED: {Thing.ADDRESS_CHANGES: By.ITSELF, Thing.TOKENS: By.ACCOUNT},
    Cause.ADDRESS_CORRECTED: {
        Thing.PROOFS: By.ITSELF,
        Thing.TOKENS: By.ACCOUNT,
        Thing.ADDRESS_CHANGES: By.ACCOUNT,
        Thing.DISPUTES: By.ACCOUNT,
    },
    Cause.ADDRESS_TAKEN_BACK: _TAKEN_BACK,
    Cause.ADDRESS_TAKEN_BACK_FROM_CLAIM: {
        **_TAKEN_BACK,
        Thing.PASSWORD: By.ACCOUNT,
        Thing.RECOVERY_CODES: By.SINCE,
        Thing.APP: By.SINCE,
        Thing.ENROLMENTS: By.ACCOUNT,
    },
    Cause.WAY_BACK_ENDED: {Thing.WAYS_BACK: By.ITSELF},
    Cause.PASSKEY_REMOVED: {
        Thing.PROOFS: By.ACCOUNT,
        Thing.PASSKEYS: By.ITSELF,
        Thing.SESSIONS: By.SESSION,
        Thing.GRANTS: By.SESSION,
    },
    Cause.APP_REMOVED: {
        Thing.PROOFS: By.ACCOUNT,
        Thing.RECOVERY_CODES: By.ACCOUNT,
        Thing.APP: By.ITSELF,
        Thing.ENROLMENTS: By.ACCOUNT,
    },
    Cause.CODES_REPLACED: {Thing.RECOVERY_CODES: By.ITSELF},
    Cause.FACTORS_RESET: {
        **_ENTERED,
        Thing.PASSKEYS: By.ITSELF,
        Thing.RECOVERY_CODES: By.ITSELF,
        Thing.APP: By.ITSELF,
        Thing.ENROLMENTS: By.ACCOUNT,
    },
    Cause.PASSKEY_UNDONE: {**_ENTERED, Thing.PASSKEYS: By.ITSELF},
    Cause.APP_UNDONE: {
        **_ENTERED,
        Thing.RECOVERY_CODES: By.ACCOUNT,
        Thing.APP: By.ITSELF,
        Thing.ENROLMENTS: By.ACCOUNT,
    },
    Cause.LINK_UNDONE: {**_ENTERED, Thing.LINKS: By.ITSELF},
    Cause.LINK_ENDED: {
        Thing.PROOFS: By.ACCOUNT,
        Thing.LINKS: By.ITSELF,
        Thing.SESSIONS: By.SESSION,
        Thing.GRANTS: By.SESSION,
    },
    Cause.ROLE_GIVEN: _ENTERED,
    Cause.ROLE_TAKEN: _ENTERED,
    Cause.SIGNED_OUT: {Thing.SESSIONS: By.SESSION, Thing.GRANTS: By.ONLINE},
    Cause.OTHERS_SIGNED_OUT: {Thing.SESSIONS: By.OTHERS, Thing.GRANTS: By.ONLINE},
    Cause.DEVICE_KEY_COPIED: {Thing.SESSIONS: By.SESSION, Thing.GRANTS: By.SESSION},
    Cause.BROWSER_LEFT: {
        Thing.STEPS: By.BROWSER,
        Thing.WAITING_IDENTITIES: By.BROWSER,
        Thing.PROVIDER_REQUESTS: By.BROWSER,
        Thing.FORMS: By.BROWSER,
    },
    Cause.BROWSER_ENTERED: {Thing.WAITING_IDENTITIES: By.ELSEWHERE},
    Cause.CONSENT_WITHDRAWN: {
        Thing.CONSENTS: By.PERMISSION,
        Thing.CHILD_CONSENTS: By.PERMISSION,
        Thing.GRANTS: By.PERMISSION,
    },
    Cause.CLIENT_DISABLED: {Thing.GRANTS: By.CLIENT, Thing.DEVICE_CODES: By.CLIENT},
    Cause.ADDRESSES_SHOWN: {Thing.GRANTS: By.CLIENT},
    Cause.OURS_NO_MORE: {Thing.GRANTS: By.CLIENT},
    Cause.CODE_REUSED: {Thing.GRANTS: By.ITSELF},
    Cause.REFRESH_REUSED: {Thing.GRANTS: By.ITSELF},
    Cause.REVOKED: {Thing.GRANTS: By.ITSELF},
    Cause.TOKEN_MADE: {Thing.TOKENS: By.ITSELF},
    Cause.MAIL_LOST: {Thing.TOKENS: By.ITSELF},
    Cause.DATABASE_RESTORED: dict.fromkeys(
        (
            Thing.RECOVERY_CODES,  # those that were used since would work again
            Thing.ENROLMENTS,
            Thing.SESSIONS,
            Thing.CONSENTS,
            Thing.CHILD_CONSENTS,
            Thing.GRANTS,
            Thing.DEVICE_CODES,
            # Those that were ended, spent or replaced since would work again
            Thing.REGISTRATION_TOKENS,
            Thing.MANAGEMENT,
            Thing.TOKENS,
            Thing.ADDRESS_CHANGES,
            Thing.WAYS_BACK,
            Thing.DEVICES,
            Thing.STEPS,
            Thing.WAITING_IDENTITIES,
            Thing.PROVIDER_REQUESTS,
            Thing.CHALLENGES,
            Thing.INTERACTIONS,
            Thing.MAILS,
            Thing.QUESTIONS,  # those that were ended since would take a yes again
        ),
        By.EVERYBODY,
    ),
}  # fmt: skip

REASONS: Final[Mapping[Cause, str]] = {
    Cause.GUARDIANSHIP_ENDED: "guardianship ended",
    Cause.SEPARATED: "guardianship ended",
    Cause.ACCESS_CLOSED: "guardianship ended",
    Cause.ACCOUNT_DISABLED: "account disabled",
    Cause.ACCOUNT_CLOSED: "account disabled",
    Cause.PASSKEY_REMOVED: "passkey removed",
    Cause.FACTORS_RESET: "factors reset",
    Cause.PASSKEY_UNDONE: "undone",
    Cause.APP_UNDONE: "undone",
    Cause.LINK_UNDONE: "undone",
    Cause.LINK_ENDED: "link ended",
    Cause.ROLE_GIVEN: "role granted",
    Cause.ROLE_TAKEN: "role revoked",
    Cause.SIGNED_OUT: "signed out",
    Cause.OTHERS_SIGNED_OUT: "signed out",
    Cause.DEVICE_KEY_COPIED: "device key copied",
    Cause.CONSENT_WITHDRAWN: "consent withdrawn",
    Cause.CLIENT_DISABLED: "client disabled",
    Cause.ADDRESSES_SHOWN: "email shown",
    Cause.OURS_NO_MORE: "first party no more",
    Cause.DATABASE_RESTORED: answers.RESTORED,
}
"""What ended grants say of it; the others end because whoever enters proves something new."""

OTHER_REASON: Final = "password changed"
