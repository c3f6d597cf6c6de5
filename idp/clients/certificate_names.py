"""The name by which an application's certificate is known (RFC 8705 §2.1.2)."""

from ipaddress import ip_address
from typing import Any, Final

from cryptography import x509

from idp.errors import Invalid

FIELDS: Final = (
    "tls_client_auth_subject_dn",
    "tls_client_auth_san_dns",
    "tls_client_auth_san_uri",
    "tls_client_auth_san_ip",
    "tls_client_auth_san_email",
)
LONGEST: Final = 500


def check(name: str, document: dict[str, Any]) -> None:
    """Whether a name can be one: a distinguished name as RFC 4514 writes it, an address, a text."""
    value = document[name]
    if not isinstance(value, str) or not 1 <= len(value) <= LONGEST or not value.isprintable():
        raise Invalid(name, "no_certificate_name")
    try:
        if name == "tls_client_auth_subject_dn":
            x509.Name.from_rfc4514_string(value)
        elif name == "tls_client_auth_san_ip":
            ip_address(value)
    except ValueError:
        raise Invalid(name, "no_certificate_name") from None


def check_one(name: str, document: dict[str, Any]) -> None:
    """Exactly one name, where the application proves itself by a certificate of an authority."""
    names = [field for field in FIELDS if field in document]
    if document[name] == "tls_client_auth" and len(names) != 1:
        raise Invalid(name, "one_certificate_name")
