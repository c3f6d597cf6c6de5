"""The values that fields of client metadata may have, as the specifications call them."""

from typing import Final

SCOPES: Final = ("openid", "profile", "email", "child", "offline_access")
AUTH_METHODS: Final = (
    *("client_secret_basic", "client_secret_post", "private_key_jwt"),
    *("tls_client_auth", "self_signed_tls_client_auth", "none"),
)
DEVICE_CODE: Final = "urn:ietf:params:oauth:grant-type:device_code"
TOKEN_EXCHANGE: Final = "urn:ietf:params:oauth:grant-type:token-exchange"  # noqa: S105 - a name
GRANT_TYPES: Final = (
    *("authorization_code", "implicit", "refresh_token"),
    *(DEVICE_CODE, TOKEN_EXCHANGE),
)
ID_TOKEN_ALGORITHMS: Final = ("RS256", "PS256", "ES256", "EdDSA")
ASSERTION_ALGORITHMS: Final = ("RS256", "PS256", "ES256", "EdDSA")
REQUEST_OBJECT_ALGORITHMS: Final = (*ASSERTION_ALGORITHMS, "none")
ASSERTION_AUDIENCES: Final = ("issuer", "issuer_or_endpoint")
"""Which ``aud`` a client assertion may have: our issuer alone (RFC 7523bis), or the address of the
endpoint too, which OpenID Connect Core §9 recommended and older software sends."""
FRONT_CHANNEL_RESPONSE_TYPES: Final = ("code id_token", "id_token")
"""Those whose answer holds an ID token on the browser's way; never an access token."""
CHILD_FIELDS: Final = (
    "sub",
    "given_name",
    "family_name",
    "school.id",
    "school.name",
    "class",
    "relationship",
    "selection",
    "selected_at",
    "switchable",
    "sourced_id",
)
ACR_VALUES: Final = (
    "urn:school-idp:acr:single-factor",
    "urn:school-idp:acr:two-factor",
    "phr",
)
"""The context classes of ``idp.sessions.assurance``, which this layer does not import."""
ID_TOKEN_CLAIMS: Final = (
    "name",
    "given_name",
    "family_name",
    "preferred_username",
    "locale",
    "email",
    "email_verified",
)
"""What of the guardian may stand in ID tokens for software that does not ask UserInfo."""
EMAIL_CLAIMS: Final = ("real", "unique")
"""The guardian's address, or one made up for this application that nobody else has."""
GUARDIANSHIP_ENDED: Final = "urn:school-idp:event:guardianship-ended"
CONSENT_WITHDRAWN: Final = "urn:school-idp:event:consent-withdrawn"
SESSION_REVOKED: Final = "https://schemas.openid.net/secevent/caep/event-type/session-revoked"
ACCOUNT_DISABLED: Final = "https://schemas.openid.net/secevent/risc/event-type/account-disabled"
ACCOUNT_ENABLED: Final = "https://schemas.openid.net/secevent/risc/event-type/account-enabled"
SECURITY_EVENTS: Final = (
    *(GUARDIANSHIP_ENDED, CONSENT_WITHDRAWN, SESSION_REVOKED),
    *(ACCOUNT_DISABLED, ACCOUNT_ENABLED),
)
"""Security events (RFC 8417) that may be pushed to an application: CAEP and RISC where they have a
word for it, else our own."""
DEFAULT_CHILD_FIELDS: Final = ("sub", "given_name", "school.id")
CHILD_PROFILES: Final = ("object", "uri", "flat")
