"""A session to addresses that clients named; ``guarded`` loads it, and requests, when it asks."""

from collections.abc import Sequence

from idp.outgoing import addresses, session
from idp.outgoing.addresses import Address


class GuardedSession(session.BoundedSession):
    """A bounded session to addresses that clients named."""

    def check_addresses(self, host: str, resolved: Sequence[Address], *, plain: bool) -> None:
        """Refuse what is neither public nor listed by the operator."""
        addresses.check_allowed(host, resolved, plain=plain)
