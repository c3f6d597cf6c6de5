"""The client certificate of a request, as whoever ended TLS tells it (RFC 8705, RFC 9440).

Our own door (``idp mtls serve``) tells it beside the headers, and no header counts there. Behind a
proxy it is believed in the configured header of a trusted proxy's request, and nowhere else: who
reaches us directly could write any certificate there. Whoever ended TLS has proved that the client
holds the key; whether the certificate is one that counts is decided here.
"""

import hashlib
from base64 import b64decode
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from ipaddress import ip_address
from pathlib import Path
from typing import Any, Final
from urllib.parse import unquote_to_bytes

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID

from idp import clock, settings
from idp.clients.key_sets import client_keys
from idp.clients.models import ClientRow
from idp.database import base64url
from idp.oidc.requests import ProtocolRequest
from idp.outgoing.trouble import Trouble
from idp.settings.networks import is_within

CONNECTION: Final = "school_idp.client_certificate"
"""Where our own door keeps what a connection was opened with, in the request's WSGI environment:
DER, or nothing. A name that no header can have."""
LONGEST: Final = 16_000  # characters of the header, or bytes
_KEPT: Final = 256  # certificates that a process has read, and may see again
_UNREADABLE: Final = (ValueError, TypeError, UnsupportedAlgorithm)


@dataclass(frozen=True)
class ClientCertificate:
    """A certificate whose key the client holds. ``thumbprint``: RFC 8705 §3.1."""

    der: bytes
    thumbprint: str
    x509: x509.Certificate

    @property
    def is_timely(self) -> bool:
        """Whether it is valid now."""
        now = clock.now()
        return self.x509.not_valid_before_utc <= now <= self.x509.not_valid_after_utc


def presented(request: ProtocolRequest) -> ClientCertificate | None:
    """The certificate with which the client of a request opened its connection."""
    config = settings.current()
    der: bytes | None = request.connection.get(CONNECTION)
    if der is not None:
        return _of_der(der) if 0 < len(der) <= LONGEST else None
    header = config.client_certificate_header
    if not header or not is_within(request.sender_address, config.trusted_proxies):
        return None
    text = request.headers.get(header, "")
    return _read(text) if 0 < len(text) <= LONGEST else None


def is_asked_for() -> bool:
    """Whether applications can show certificates here: to a proxy, or at our own door."""
    config = settings.current()
    return bool(config.client_certificate_header or config.mtls_address)


def is_of_authority(certificate: ClientCertificate, client: ClientRow) -> bool:
    """``tls_client_auth`` (RFC 8705 §2.1): issued by an authority of the operator's, to the one
    name that is registered.
    """
    names = [(name, value) for name, value in client.metadata_.items() if name in NAMES]
    if len(names) != 1 or not certificate.is_timely or not _is_for_clients(certificate.x509):
        return False
    (name, value), *_ = names
    path = settings.current().client_certificate_authorities
    authorities = _authorities(path, path.stat().st_mtime_ns) if path else ()
    issued = any(_issued(certificate.x509, each) for each in authorities)
    return issued and NAMES[name](certificate.x509, value)


def is_registered(certificate: ClientCertificate, client: ClientRow) -> bool:
    """``self_signed_tls_client_auth`` (RFC 8705 §2.2): the very certificate of a registered key."""
    if not certificate.is_timely:
        return False
    try:
        chains = [key.get("x5c") for key in client_keys(client).keys]
    except Trouble:
        return False
    return certificate.der in [_first(chain) for chain in chains]


@lru_cache(maxsize=_KEPT)
def _read(text: str) -> ClientCertificate | None:
    """A header's certificate: a byte sequence (RFC 9440 §2.1), or percent-encoded PEM as nginx
    (``$ssl_client_escaped_cert``), Traefik and others write it.
    """
    try:
        if text.startswith(":") and text.endswith(":"):
            certificate = x509.load_der_x509_certificate(b64decode(text[1:-1], validate=True))
        else:
            certificate = x509.load_pem_x509_certificate(unquote_to_bytes(text))
    except _UNREADABLE:
        return None
    return _named(certificate)


@lru_cache(maxsize=_KEPT)
def _of_der(der: bytes) -> ClientCertificate | None:
    try:
        return _named(x509.load_der_x509_certificate(der))
    except _UNREADABLE:
        return None


def _named(certificate: x509.Certificate) -> ClientCertificate:
    der = certificate.public_bytes(Encoding.DER)
    return ClientCertificate(der, base64url(hashlib.sha256(der).digest()), certificate)


@lru_cache(maxsize=2)
def _authorities(path: Path, _changed_at: int) -> tuple[x509.Certificate, ...]:
    return tuple(x509.load_pem_x509_certificates(path.read_bytes()))


def _issued(certificate: x509.Certificate, authority: x509.Certificate) -> bool:
    """Directly: an intermediate authority that counts stands in the operator's file itself."""
    now = clock.now()
    if not authority.not_valid_before_utc <= now <= authority.not_valid_after_utc:
        return False
    try:
        basic = authority.extensions.get_extension_for_class(x509.BasicConstraints)
        certificate.verify_directly_issued_by(authority)
    except (InvalidSignature, x509.ExtensionNotFound, *_UNREADABLE):
        return False
    return basic.value.ca


def _is_for_clients(certificate: x509.Certificate) -> bool:
    try:
        usage = certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    except x509.ExtensionNotFound:
        return True
    except _UNREADABLE:
        return False
    return ExtendedKeyUsageOID.CLIENT_AUTH in usage


def _first(chain: Any) -> bytes | None:
    """The certificate of a key itself (RFC 7517 §4.7)."""
    try:
        return b64decode(chain[0], validate=True) if chain else None
    except _UNREADABLE:
        return None


def _has_subject(certificate: x509.Certificate, registered: str) -> bool:
    return certificate.subject == x509.Name.from_rfc4514_string(registered)


def _alternatives(certificate: x509.Certificate, kind: Any) -> Iterator[Any]:
    try:
        named = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName)
    except (x509.ExtensionNotFound, *_UNREADABLE):
        return
    yield from named.value.get_values_for_type(kind)


def _has_dns(certificate: x509.Certificate, registered: str) -> bool:
    names = {name.lower() for name in _alternatives(certificate, x509.DNSName)}
    return registered.lower() in names


def _has_uri(certificate: x509.Certificate, registered: str) -> bool:
    return registered in _alternatives(certificate, x509.UniformResourceIdentifier)


def _has_ip(certificate: x509.Certificate, registered: str) -> bool:
    return ip_address(registered) in _alternatives(certificate, x509.IPAddress)


def _has_email(certificate: x509.Certificate, registered: str) -> bool:
    return registered in _alternatives(certificate, x509.RFC822Name)


NAMES: Final[dict[str, Callable[[x509.Certificate, str], bool]]] = {
    "tls_client_auth_subject_dn": _has_subject,
    "tls_client_auth_san_dns": _has_dns,
    "tls_client_auth_san_uri": _has_uri,
    "tls_client_auth_san_ip": _has_ip,
    "tls_client_auth_san_email": _has_email,
}
"""RFC 8705 §2.1.2: by which one of its names a certificate is known."""
