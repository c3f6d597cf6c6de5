"""WebAuthn's two ceremonies: what a browser is asked, and what its answer proves.

The only place that knows py_webauthn. It holds no state: challenges are in
``passkey_challenges``, credentials in ``passkeys``.
"""

import json
from collections.abc import Sequence
from typing import Any, Final

import webauthn
from cbor2 import CBORError
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from webauthn.helpers import (
    options_to_json_dict,
    parse_attestation_object,
    parse_authentication_credential_json,
    parse_client_data_json,
    parse_registration_credential_json,
)
from webauthn.helpers.cose import COSEAlgorithmIdentifier
from webauthn.helpers.exceptions import WebAuthnException
from webauthn.helpers.structs import (
    AttestationConveyancePreference,
    AuthenticatorSelectionCriteria,
    AuthenticatorTransport,
    CredentialDeviceType,
    PublicKeyCredentialDescriptor,
    ResidentKeyRequirement,
    UserVerificationRequirement,
)

from idp import settings
from idp.credentials.relying_party import (
    Answer,
    Assertion,
    NewCredential,
    RelyingParty,
    Unproved,
)

ALGORITHMS: Final = [
    COSEAlgorithmIdentifier.ECDSA_SHA_256,
    COSEAlgorithmIdentifier.EDDSA,
    COSEAlgorithmIdentifier.RSASSA_PKCS1_v1_5_SHA_256,
]
FORMATS: Final = ("none", "packed")
"""We ask for no attestation; a self-attesting authenticator may still answer ``packed``
(WebAuthn Level 3 §5.1.3). Neither other formats nor certificates are let near our parsers."""
LONGEST_ANSWER: Final = 16_384
TIMEOUT: Final = 300_000  # milliseconds; WebAuthn Level 3 §15.1 recommends 5 minutes
_MALFORMED: Final = (
    WebAuthnException,
    CBORError,
    InvalidSignature,
    UnsupportedAlgorithm,
    ValueError,
    TypeError,
    LookupError,
    AttributeError,
    RecursionError,
    OverflowError,
)
"""What py_webauthn raises for bytes that are not what they should be."""


def creation_options(
    party: RelyingParty,
    challenge: bytes,
    *,
    user_handle: bytes,
    user_name: str,
    display_name: str,
    known: Sequence[tuple[str, str]],
) -> dict[str, Any]:
    """What ``navigator.credentials.create`` is given. ``known``: ids and transports."""
    options = webauthn.generate_registration_options(
        rp_id=party.id,
        rp_name=settings.current().platform_name,
        user_id=user_handle,
        user_name=user_name,
        user_display_name=display_name,
        challenge=challenge,
        timeout=TIMEOUT,
        attestation=AttestationConveyancePreference.NONE,
        authenticator_selection=AuthenticatorSelectionCriteria(
            resident_key=ResidentKeyRequirement.REQUIRED,
            user_verification=UserVerificationRequirement.REQUIRED,
        ),
        exclude_credentials=_descriptors(known),
        supported_pub_key_algs=ALGORITHMS,
    )
    return options_to_json_dict(options)


def request_options(
    party: RelyingParty, challenge: bytes, allowed: Sequence[tuple[str, str]] = ()
) -> dict[str, Any]:
    """What ``navigator.credentials.get`` is given; without ``allowed``, any discoverable one."""
    options = webauthn.generate_authentication_options(
        rp_id=party.id,
        challenge=challenge,
        timeout=TIMEOUT,
        allow_credentials=_descriptors(allowed),
        user_verification=UserVerificationRequirement.REQUIRED,
    )
    return options_to_json_dict(options)


def read_registration(text: str) -> Answer:
    """Read what ``create`` answered. Raises ``Unproved``."""
    document = _document(text)
    try:
        parsed = parse_registration_credential_json(document)
        client_data = parse_client_data_json(parsed.response.client_data_json)
    except _MALFORMED as error:
        raise Unproved("malformed") from error
    return Answer(document, client_data.challenge, parsed.id, None)


def read_authentication(text: str) -> Answer:
    """Read what ``get`` answered. Raises ``Unproved``."""
    document = _document(text)
    try:
        parsed = parse_authentication_credential_json(document)
        client_data = parse_client_data_json(parsed.response.client_data_json)
    except _MALFORMED as error:
        raise Unproved("malformed") from error
    # One spelling of an id: base64url is read leniently, and the database compares text
    credential_id = webauthn.base64url_to_bytes(parsed.id)
    if webauthn.helpers.bytes_to_base64url(credential_id) != parsed.id:
        raise Unproved("malformed")
    return Answer(document, client_data.challenge, parsed.id, parsed.response.user_handle)


def verify_registration(party: RelyingParty, answer: Answer) -> NewCredential:
    """Believe a new credential (WebAuthn Level 3 §7.1). Raises ``Unproved``.

    The caller has spent the challenge.
    """
    _refuse_framed(answer)
    try:
        parsed = parse_registration_credential_json(answer.document)
        attestation = parse_attestation_object(parsed.response.attestation_object)
        if attestation.fmt not in FORMATS or attestation.att_stmt.x5c is not None:
            raise Unproved("attestation")
        made = webauthn.verify_registration_response(
            credential=parsed,
            expected_challenge=answer.challenge,
            expected_rp_id=party.id,
            expected_origin=party.origin,
            require_user_verification=True,
            supported_pub_key_algs=ALGORITHMS,
        )
    except _MALFORMED as error:
        raise Unproved(str(error)) from error
    transports = parsed.response.transports or []
    return NewCredential(
        credential_id=webauthn.helpers.bytes_to_base64url(made.credential_id),
        public_key=made.credential_public_key,
        sign_count=made.sign_count,
        aaguid=made.aaguid,
        transports=tuple(each.value for each in transports),
        backup_eligible=made.credential_device_type is CredentialDeviceType.MULTI_DEVICE,
        backed_up=made.credential_backed_up,
    )


def verify_authentication(party: RelyingParty, answer: Answer, public_key: bytes) -> Assertion:
    """Believe a known credential's answer (WebAuthn Level 3 §7.2). Raises ``Unproved``.

    The caller has spent the challenge, and judges the counter where it is kept.
    """
    _refuse_framed(answer)
    try:
        seen = webauthn.verify_authentication_response(
            credential=answer.document,
            expected_challenge=answer.challenge,
            expected_rp_id=party.id,
            expected_origin=party.origin,
            credential_public_key=public_key,
            credential_current_sign_count=0,
            require_user_verification=True,
        )
    except _MALFORMED as error:
        raise Unproved(str(error)) from error
    return Assertion(
        sign_count=seen.new_sign_count,
        backup_eligible=seen.credential_device_type is CredentialDeviceType.MULTI_DEVICE,
        backed_up=seen.credential_backed_up,
    )


def _document(text: str) -> dict[str, Any]:
    try:
        document = json.loads(text) if len(text) <= LONGEST_ANSWER else None
    except (ValueError, RecursionError) as error:
        raise Unproved("malformed") from error
    if not isinstance(document, dict):
        raise Unproved("malformed")
    return document


def _refuse_framed(answer: Answer) -> None:
    # WebAuthn Level 3 §7.1 step 11, §7.2 step 14: we are never inside of another site's page
    raw = webauthn.base64url_to_bytes(answer.document["response"]["clientDataJSON"])
    client_data = json.loads(raw)
    if client_data.get("crossOrigin") is True or "topOrigin" in client_data:
        raise Unproved("framed")


def _descriptors(known: Sequence[tuple[str, str]]) -> list[PublicKeyCredentialDescriptor]:
    return [
        PublicKeyCredentialDescriptor(
            id=webauthn.base64url_to_bytes(credential_id),
            transports=[AuthenticatorTransport(each) for each in transports.split()] or None,
        )
        for credential_id, transports in known
    ]
