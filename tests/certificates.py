"""Client certificates, and an installation that hears of them from a trusted proxy."""

import base64
import hashlib
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from ipaddress import ip_network
from pathlib import Path
from typing import Any
from urllib.parse import quote

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from flask import Flask
from joserfc.jwk import ECKey

HEADER = "X-Client-Cert"
ALIAS = "https://mtls.id.example"


@dataclass
class Holder:
    """Who holds a certificate and its key."""

    key: ec.EllipticCurvePrivateKey
    certificate: x509.Certificate

    @property
    def pem(self) -> bytes:
        return self.certificate.public_bytes(Encoding.PEM)

    @property
    def der(self) -> bytes:
        return self.certificate.public_bytes(Encoding.DER)

    @property
    def escaped(self) -> str:
        """As nginx's $ssl_client_escaped_cert."""
        return quote(self.pem, safe="")

    @property
    def byte_sequence(self) -> str:
        """As the Client-Cert header of RFC 9440."""
        return f":{base64.b64encode(self.der).decode()}:"

    @property
    def thumbprint(self) -> str:
        digest = hashlib.sha256(self.der).digest()
        return base64.urlsafe_b64encode(digest).decode().rstrip("=")

    @property
    def jwks(self) -> dict[str, Any]:
        public = ECKey.import_key(self.key.public_key()).as_dict(private=False)
        return {"keys": [{**public, "x5c": [base64.b64encode(self.der).decode()]}]}


def holder(
    name: str = "CN=portal,O=École",
    issuer: Holder | None = None,
    days: int = 30,
    *,
    authority: bool = False,
    alternatives: list[x509.GeneralName] | None = None,
) -> Holder:
    """A new certificate: of an issuer, or signed by its own key."""
    key = ec.generate_private_key(ec.SECP256R1())
    now = datetime.now(UTC)
    subject = x509.Name.from_rfc4514_string(name)
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer.certificate.subject if issuer else subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=60))
        .not_valid_after(now + timedelta(days=days))
        .add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=True)
    )
    if alternatives:
        builder = builder.add_extension(x509.SubjectAlternativeName(alternatives), critical=False)
    return Holder(key, builder.sign(issuer.key if issuer else key, hashes.SHA256()))


def trusted_proxy(app: Flask, folder: Path) -> Holder:
    """The operator's authority, once a trusted proxy tells certificates."""
    made = holder("CN=Authority", authority=True)
    file = folder / "authorities.pem"
    file.write_bytes(made.pem)
    app.extensions["idp.settings"] = replace(
        app.extensions["idp.settings"],
        client_certificate_header=HEADER,
        client_certificate_authorities=file,
        trusted_proxies=(ip_network("127.0.0.1/32"),),
        mtls_address=ALIAS,
    )
    return made
