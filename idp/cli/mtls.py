"""``idp mtls``: our own door for client certificates, with no proxy before it (RFC 8705)."""

import logging
import os
from pathlib import Path

import click
from flask import current_app
from flask.cli import with_appcontext

from idp import readiness, settings
from idp.cli import application, metrics
from idp.cli.errors import BadInput
from idp.cli.group import Noun
from idp.cli.listening import check_port, resolved
from idp.doctor import configuration

command = Noun("mtls", help="A door of our own for applications with client certificates.")
FILE = click.Path(path_type=Path, exists=True, dir_okay=False)


@command.command("serve")
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen at.")
@click.option(
    "--port", type=click.IntRange(1, 65535), default=8443, show_default=True, help="TCP port."
)
@click.option(
    "--certificate", type=FILE, required=True, help="Our certificate and its chain (PEM)."
)
@click.option("--key", type=FILE, required=True, help="The key of that certificate (PEM).")
@click.option(
    "--threads",
    type=click.IntRange(1, 128),
    default=16,
    show_default=True,
    help="Requests at once.",
)
@with_appcontext
def mtls_serve(host: str, port: int, certificate: Path, key: Path, threads: int) -> None:
    """End TLS, ask for client certificates, and answer what applications call (RFC 8705).

    Beside `idp serve`, at a port that applications reach directly: no page of parents is here, and
    no header about certificates or addresses is believed. IDP_MTLS_ADDRESS is its address.
    A certificate that was renewed counts with the next connection.

    Examples:
      idp mtls serve --host 0.0.0.0 --certificate fullchain.pem --key privkey.pem
    """
    try:
        from idp.cli import mtls_server
    except ModuleNotFoundError as error:
        raise BadInput(f"{error.name} is not installed: pip install 'school-idp[mtls]'") from error
    now = settings.current()
    configuration.refuse_unsafe(now, dict(os.environ))
    if not now.mtls_address:
        raise BadInput("IDP_MTLS_ADDRESS, where applications find this door, is not set")
    readiness.refuse_unready()
    host = resolved(host)
    check_port(host, port)
    application.speak(now.log_level)
    try:
        files = mtls_server.Identity(certificate, key)
    except mtls_server.Unusable as error:
        raise BadInput(f"the certificate or its key can't be used: {error}") from error
    metrics.begin_alone(current_app._get_current_object())  # type: ignore[attr-defined]
    logging.getLogger("idp.mtls").info("listening at %s port %s", host, port)
    mtls_server.serve(current_app._get_current_object(), files, host, port, threads)  # type: ignore[attr-defined]
