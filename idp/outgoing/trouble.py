"""What may go wrong when we ask somebody else's server."""


class Trouble(Exception):
    """A server could not be used. ``reason`` is a word or two for logs and the audit log."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class Away(Trouble):
    """It does not answer, answers too slowly, or has its own trouble."""


class Busy(Away):
    """It was not asked: too many wait already, or this is no moment to wait for others."""


class WrongAnswer(Trouble):
    """It answered something that proves nothing: malformed, forged, for somebody else."""


class NotAllowed(Trouble):
    """The address is none that a client may make us ask (security rule R14)."""
