"""The options by which an application's metadata are said at the command line.

Each option stands for one field (docs/clients.md). In ``create`` what was not said is left to the
registration, in ``edit`` it stays as it is; an empty text takes a field away.
"""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final, TypeVar

import click

from idp.cli import inputs
from idp.clients import encrypted_answers
from idp.clients import metadata as rules
from idp.clients.profiles import PROFILES

F = TypeVar("F", bound=Callable[..., Any])
Option = tuple[str, str, Mapping[str, Any]]
"""A field, its option, and what click is told of it."""

NO_OPTION: Final = {
    "backchannel_logout_session_required": "every logout token has a sid",
    "frontchannel_logout_session_required": "the address always gets iss and sid",
}
"""Fields without an option, and why."""


class _Choice(click.Choice[str]):
    """One of some values, or an empty text."""

    def convert(self, value: Any, param: Any, ctx: Any) -> Any:
        """The value as it stands."""
        return "" if value == "" else super().convert(value, param, ctx)


def _text(field: str, option: str, words: str) -> Option:
    return field, option, {"help": words}


def _texts(field: str, option: str, words: str) -> Option:
    return field, option, {"multiple": True, "help": f"{words}; repeatable."}


def _one_of(field: str, option: str, allowed: tuple[str, ...], words: str) -> Option:
    return field, option, {"type": _Choice(allowed), "help": words}


def _some_of(field: str, option: str, allowed: tuple[str, ...], words: str) -> Option:
    return (
        field,
        option,
        {"type": _Choice(allowed), "multiple": True, "help": f"{words}; repeatable."},
    )


def _switch(field: str, option: str, words: str) -> Option:
    both = f"{option}/--no-{option.removeprefix('--')}"
    return field, both, {"default": None, "help": words}


def _signed(field: str, option: str, words: str) -> Option:
    return _one_of(field, option, rules.ID_TOKEN_ALGORITHMS, f"Signs {words}.")


def _encrypted(answer: str, option: str, words: str) -> tuple[Option, Option]:
    field = f"{answer}_encrypted_response" if answer != "request_object" else f"{answer}_encryption"
    algs, encs = encrypted_answers.KEY_ALGORITHMS, encrypted_answers.CONTENT_ALGORITHMS
    return (
        _one_of(f"{field}_alg", f"{option}-encryption-alg", algs, f"Encrypts {words}."),
        _one_of(f"{field}_enc", f"{option}-encryption-enc", encs, "And what is in it."),
    )


OPTIONS: Final[tuple[Option, ...]] = (
    _one_of("profile", "--profile", PROFILES, "fapi2: all of FAPI 2.0 on, everything weaker off."),
    _texts("redirect_uris", "--redirect-uri", "Where codes are sent"),
    _texts("post_logout_redirect_uris", "--post-logout-uri", "Where a sign-out may lead"),
    _text("scope", "--scope", 'Scopes, in quotes: "openid profile child".'),
    _one_of(
        "token_endpoint_auth_method", "--auth-method", rules.AUTH_METHODS, "How it proves itself."
    ),
    _one_of(
        "token_endpoint_auth_audience",
        "--auth-audience",
        rules.ASSERTION_AUDIENCES,
        "What the assertions of private_key_jwt may name.",
    ),
    _one_of(
        "token_endpoint_auth_signing_alg",
        "--auth-signing-alg",
        rules.ASSERTION_ALGORITHMS,
        "The one algorithm of its assertions.",
    ),
    _text("tls_client_auth_subject_dn", "--certificate-subject", "The name in its certificate."),
    _text("tls_client_auth_san_dns", "--certificate-dns", "Or the host name in it."),
    _text("tls_client_auth_san_uri", "--certificate-uri", "Or the URI in it."),
    _text("tls_client_auth_san_ip", "--certificate-ip", "Or the IP address in it."),
    _text("tls_client_auth_san_email", "--certificate-email", "Or the e-mail address in it."),
    _text("jwks_uri", "--jwks-uri", "Where we read its public keys, in place of a file."),
    _switch(
        "dpop_bound_access_tokens",
        "--dpop",
        "Its access tokens are always bound to a key (DPoP).",
    ),
    _switch(
        "tls_client_certificate_bound_access_tokens",
        "--certificate-bound",
        "Its access tokens are bound to its certificate.",
    ),
    _switch("first_party", "--first-party", "The schools' own: no consent page."),
    _switch("require_pkce", "--pkce", "--no-pkce: its library can't do PKCE, don't require it."),
    _switch(
        "require_pushed_authorization_requests",
        "--pushed-requests",
        "It has to push its requests (RFC 9126).",
    ),
    _switch(
        "require_signed_request_object",
        "--signed-requests",
        "It has to sign its requests (RFC 9101).",
    ),
    _one_of(
        "request_object_signing_alg",
        "--request-object-alg",
        rules.REQUEST_OBJECT_ALGORITHMS,
        "The one algorithm of its request objects.",
    ),
    *_encrypted("request_object", "--request-object", "request objects for us"),
    _texts("request_uris", "--request-uri", "Where its request objects may stand"),
    _switch(
        "parameters_beside_request_object",
        "--parameters-beside-request",
        "What stands beside a request object counts, too.",
    ),
    _some_of(
        "response_types",
        "--response-type",
        ("code", *rules.FRONT_CHANNEL_RESPONSE_TYPES),
        "What it may ask for",
    ),
    _signed("id_token_signed_response_alg", "--id-token-alg", "ID tokens"),
    *_encrypted("id_token", "--id-token", "ID tokens"),
    _signed("userinfo_signed_response_alg", "--userinfo-alg", "UserInfo"),
    *_encrypted("userinfo", "--userinfo", "UserInfo"),
    _signed("authorization_signed_response_alg", "--answer-alg", "answers of sign-ins (JARM)"),
    *_encrypted("authorization", "--answer", "answers of sign-ins (JARM)"),
    _signed("introspection_signed_response_alg", "--introspection-alg", "introspection"),
    _one_of(
        "subject_type",
        "--subject-type",
        ("pairwise", "public"),
        "By which subjects it knows people.",
    ),
    _text(
        "sector_identifier_uri",
        "--sector-identifier-uri",
        "For several applications that know people by the same subjects.",
    ),
    _some_of("child_fields", "--child-field", rules.CHILD_FIELDS, "What it may know of the child"),
    _one_of(
        "child_claim_profile",
        "--child-profile",
        rules.CHILD_PROFILES,
        "In which form it is told of the child.",
    ),
    _some_of(
        "id_token_claims",
        "--id-token-claim",
        rules.ID_TOKEN_CLAIMS,
        "What of the guardian also stands in ID tokens",
    ),
    _one_of(
        "email_claim",
        "--email-claim",
        rules.EMAIL_CLAIMS,
        "unique: an address made up for it, which nobody reads.",
    ),
    (
        "default_max_age",
        "--max-age",
        {"type": click.IntRange(min=0), "help": "Seconds: an older sign-in is asked for again."},
    ),
    _some_of(
        "default_acr_values", "--acr", rules.ACR_VALUES, "How surely guardians have to sign in"
    ),
    _switch("allow_popups", "--popups", "It opens sign-in in a window of its own."),
    _switch("omit_iss", "--omit-iss", "Its software stumbles over iss in an answer."),
    _texts("origins", "--origin", "Origin of a browser application (CORS)"),
    _text(
        "backchannel_logout_uri",
        "--back-channel-logout-uri",
        "Where we tell it that a session has ended.",
    ),
    _text(
        "frontchannel_logout_uri",
        "--front-channel-logout-uri",
        "What the browser loads when a parent signs out.",
    ),
    _text(
        "security_events_uri",
        "--security-events-uri",
        "Where we tell it that a guardianship has ended.",
    ),
    _some_of(
        "security_events",
        "--security-event",
        rules.SECURITY_EVENTS,
        "Of what else it is told there",
    ),
    _texts(
        "resources",
        "--resource",
        "A resource server that it may ask for signed access tokens for",
    ),
    _text("initiate_login_uri", "--start-uri", "Where a parent starts it."),
    _text("client_uri", "--website", "Its home page."),
    _text("logo_uri", "--logo-uri", "A picture of at most 64 KiB, which we fetch and show."),
    _text("policy_uri", "--policy-uri", "Its privacy policy."),
    _text("tos_uri", "--tos-uri", "Its terms of use."),
    _texts("contacts", "--contact", "Whom to write to about it"),
)
"""In the order of the help: from what most applications need to the rarest."""
_COMPOSED: Final = (
    click.option("--jwks-file", type=click.Path(path_type=Path), help="Its public keys (JSON)."),
    click.option("--public", is_flag=True, help="It keeps no secret (runs in a browser)."),
    click.option(
        "--native", is_flag=True, help="It runs on a telephone or desktop, without a secret."
    ),
    click.option(
        "--device/--no-device",
        default=None,
        help="It runs on screens without a keyboard (RFC 8628).",
    ),
    click.option(
        "--token-exchange/--no-token-exchange",
        default=None,
        help="It may exchange its tokens for narrower ones (RFC 8693).",
    ),
)
COMPOSED: Final = {
    "application_type": ("--native",),
    "jwks": ("--jwks-file",),
    "grant_types": ("--device", "--token-exchange"),
}
"""Fields that have no option of their own values."""


def metadata_options(command: F) -> F:
    """Give a command every option."""
    plain = (click.option(option, field, **more) for field, option, more in OPTIONS)
    for each in reversed([*plain, *_COMPOSED]):
        command = each(command)
    return command


def metadata_of(options: Mapping[str, Any], before: Mapping[str, Any]) -> dict[str, Any]:
    """What the options say as RFC 7591 metadata; None for a field that is taken away.

    ``before``: the present registration, empty for a new one.
    """
    values = {field: options[field] for field, _option, _more in OPTIONS}
    metadata = {
        field: _value(value) for field, value in values.items() if value is not None and value != ()
    }
    if options["jwks_file"]:
        metadata |= {"jwks_uri": None, "jwks": inputs.document(options["jwks_file"])}
    elif metadata.get("jwks_uri"):
        metadata["jwks"] = None
    if options["public"] or options["native"]:
        metadata.setdefault("token_endpoint_auth_method", "none")
    if options["native"]:
        metadata["application_type"] = "native"
    return metadata | _grant_types(options, before, metadata)


def _value(value: Any) -> Any:
    if isinstance(value, tuple):
        return [each for each in value if each] or None
    return None if value == "" else value


def _grant_types(
    options: Mapping[str, Any], before: Mapping[str, Any], metadata: Mapping[str, Any]
) -> dict[str, list[str]]:
    """Nothing, which leaves what there is, unless one more or one less is wanted."""
    wanted = {rules.DEVICE_CODE: options["device"], rules.TOKEN_EXCHANGE: options["token_exchange"]}
    if all(each is None for each in wanted.values()):
        return {}
    is_screen = options["device"] and not {**before, **metadata}.get("redirect_uris")
    usual = ["refresh_token"] if is_screen else ["authorization_code", "refresh_token"]
    kept = [each for each in before.get("grant_types", usual) if wanted.get(each) is not False]
    more = [each for each, is_wanted in wanted.items() if is_wanted and each not in kept]
    return {"grant_types": [*kept, *more]}
