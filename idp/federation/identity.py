"""What a provider proved, and what may go wrong on the way."""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True)
class ForeignIdentity:
    """A verified identity at a provider: ``issuer`` and ``subject`` together name it for ever.

    ``shown`` is an address or a name for the parent's eyes; it is text of somebody else's, may
    change at any time, and links nothing (security rule F3). ``auth_time``: when the provider
    last saw the person prove who they are; None where it does not tell (rule F9).
    """

    provider: str
    issuer: str
    subject: str
    shown: str = ""
    auth_time: datetime | None = None


class ProviderTrouble(Exception):
    """A provider could not be used. ``reason`` is a word for logs and the audit log."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class ProviderAway(ProviderTrouble):
    """It does not answer, answers too slowly, or has its own trouble."""


class WrongAnswer(ProviderTrouble):
    """It answered something that proves nothing: malformed, forged, for somebody else."""
