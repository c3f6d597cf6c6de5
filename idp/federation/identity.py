"""What a provider proved, and what may go wrong on the way."""

from dataclasses import dataclass
from datetime import datetime

from idp.outgoing.trouble import Away as ProviderAway
from idp.outgoing.trouble import Trouble as ProviderTrouble
from idp.outgoing.trouble import WrongAnswer

__all__ = ["ForeignIdentity", "ProviderAway", "ProviderTrouble", "WrongAnswer"]


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
