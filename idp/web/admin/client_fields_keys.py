"""Folded parts of an application's form: keys, signatures, encryption, and how strict we are."""

from typing import Final

from flask_babel import LazyString
from flask_babel import lazy_gettext as _

from idp.clients import encrypted_answers
from idp.clients.metadata import ASSERTION_ALGORITHMS, ID_TOKEN_ALGORITHMS
from idp.web.admin import client_choices
from idp.web.admin.client_controls import Control, Field, Group, address, algorithms, switch

_AS_USUAL: Final = _("Usual")
_ANY: Final = _("Any of these")
_NOT_ENCRYPTED: Final = _("Not encrypted")


def _encryption(answer: str, label: LazyString, of_content: LazyString) -> tuple[Field, Field]:
    name = f"{answer}_encrypted_response"
    return (
        algorithms(
            f"{name}_alg", label, encrypted_answers.KEY_ALGORITHMS, otherwise=_NOT_ENCRYPTED
        ),
        algorithms(
            f"{name}_enc", of_content, encrypted_answers.CONTENT_ALGORITHMS, otherwise=_AS_USUAL
        ),
    )


KEYS: Final = Group(
    _("Its keys and certificates"),
    (
        Field(
            "jwks",
            Control.KEYS,
            _("Public keys"),
            _(
                "For an application with a key of its own: a JWK Set, or a public key in PEM. Never"
                " send a private key."
            ),
        ),
        address(
            "jwks_uri",
            _("Address of its public keys"),
            _("In place of keys: we read them there, so that it may change them by itself."),
        ),
        Field(
            "token_endpoint_auth_audience",
            Control.ONE,
            _("What may it name as the audience of what it signs?"),
            _("For an application with a key of its own: the claim “aud” of its assertions."),
            client_choices.audiences,
        ),
        algorithms(
            "token_endpoint_auth_signing_alg",
            _("How does it sign to prove itself?"),
            ASSERTION_ALGORITHMS,
            otherwise=_ANY,
        ),
        Field(
            "tls_client_auth_subject_dn",
            Control.LINE,
            _("Name in its certificate"),
            _(
                "For a certificate of an authority: this name, such as CN=portal, or one of"
                " the four below, and no second one."
            ),
        ),
        Field("tls_client_auth_san_dns", Control.LINE, _("Or the host name in it")),
        Field("tls_client_auth_san_uri", Control.LINE, _("Or the address (URI) in it")),
        Field("tls_client_auth_san_ip", Control.LINE, _("Or the IP address in it")),
        Field("tls_client_auth_san_email", Control.LINE, _("Or the e-mail address in it")),
    ),
    key="keys",
)
ANSWERS: Final = Group(
    _("How our answers are signed and encrypted"),
    (
        algorithms(
            "id_token_signed_response_alg",
            _("How are ID tokens signed?"),
            ID_TOKEN_ALGORITHMS,
            hint=_("Every library knows RS256; ES256 is shorter and safer."),
        ),
        *_encryption(
            "id_token", _("How are ID tokens encrypted?"), _("And what is in an ID token?")
        ),
        algorithms(
            "userinfo_signed_response_alg",
            _("How is UserInfo signed?"),
            ID_TOKEN_ALGORITHMS,
            otherwise=_("Not signed"),
        ),
        *_encryption("userinfo", _("How is UserInfo encrypted?"), _("And what is in UserInfo?")),
        algorithms(
            "authorization_signed_response_alg",
            _("How are answers to sign-ins signed?"),
            ID_TOKEN_ALGORITHMS,
            otherwise=_AS_USUAL,
            hint=_("Where it asks for them as a signed text (JARM)."),
        ),
        *_encryption(
            "authorization",
            _("How are answers to sign-ins encrypted?"),
            _("And what is in such an answer?"),
        ),
        algorithms(
            "introspection_signed_response_alg",
            _("How are answers about a token signed?"),
            ID_TOKEN_ALGORITHMS,
            otherwise=_AS_USUAL,
            hint=_("Where it asks for them signed (RFC 9701)."),
        ),
    ),
    key="answers",
    hint=_("Encrypting needs a public key of the application that is meant for it."),
)
REQUESTS: Final = Group(
    _("Signed and pushed requests"),
    (
        switch(
            "require_pushed_authorization_requests",
            _("It has to push its requests"),
            _(
                "Its server sends us each request itself, and the browser only brings its number"
                " (PAR, RFC 9126)."
            ),
        ),
        switch(
            "require_signed_request_object",
            _("It has to sign its requests"),
            _("A request that none of its keys has signed is refused (RFC 9101)."),
        ),
        Field(
            "request_object_signing_alg",
            Control.ALGORITHM,
            _("How does it sign its requests?"),
            choices=client_choices.request_signatures,
        ),
        algorithms(
            "request_object_encryption_alg",
            _("How does it encrypt its requests for us?"),
            encrypted_answers.KEY_ALGORITHMS,
            otherwise=_NOT_ENCRYPTED,
            hint=_("Once they are signed; with a key of ours that is published then."),
        ),
        algorithms(
            "request_object_encryption_enc",
            _("And what is in such a request?"),
            encrypted_answers.CONTENT_ALGORITHMS,
            otherwise=_AS_USUAL,
        ),
        Field(
            "request_uris",
            Control.LINES,
            _("Where its signed requests may stand"),
            _("For an application that names an address (request_uri): one on each line."),
        ),
        switch(
            "parameters_beside_request_object",
            _("What stands beside a signed request counts, too"),
            _("Only for older software. Otherwise the signed request counts alone."),
        ),
    ),
    key="requests",
)
STRICTNESS: Final = Group(
    _("How strict we are, and other servers"),
    (
        Field(
            "profile",
            Control.ONE,
            _("How strict should we be with it?"),
            _("FAPI 2.0 switches on what it asks for, and refuses everything weaker."),
            client_choices.client_profiles,
        ),
        switch(
            "dpop_bound_access_tokens",
            _("Its tokens are bound to a key (DPoP)"),
            _("Nobody else can use them. The application proves its key with each request."),
        ),
        switch(
            "tls_client_certificate_bound_access_tokens",
            _("Its tokens are bound to its certificate"),
            _("They work over a connection with its own certificate alone (RFC 8705)."),
        ),
        Field(
            "resources",
            Control.LINES,
            _("Resource servers"),
            _(
                "For whom it may ask for signed access tokens (RFC 9068): addresses or other URIs,"
                " one on each line."
            ),
        ),
    ),
    key="strictness",
)
