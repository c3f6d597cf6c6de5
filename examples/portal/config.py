"""What a portal needs to be told."""

from dataclasses import dataclass
from pathlib import Path
from typing import cast

from flask import current_app


@dataclass(frozen=True, kw_only=True)
class PortalConfig:
    """One portal. ``theme`` is ``college`` (secondary school) or ``primary``."""

    school: str
    theme: str
    issuer: str
    client_id: str
    client_secret: str
    port: int
    visits_file: Path
    host: str = "127.0.0.1"
    mailbox_file: Path | None = None
    authenticator_file: Path | None = None
    """Secrets of authenticator apps by user name, as JSON: the portal plays their phones."""
    session_secret: str = ""
    helper_client_id: str = ""
    helper_client_secret: str = ""

    @property
    def url(self) -> str:
        """The portal's own address, without a slash at its end."""
        return f"http://{self.host}:{self.port}"


def current() -> PortalConfig:
    """The configuration of the running portal."""
    return cast(PortalConfig, current_app.extensions["portal.config"])
