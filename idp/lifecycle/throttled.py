"""Too many guesses: said the same by whatever judges a secret."""

from idp.audit import events
from idp.credentials.throttling import Blocked


def note(event: str, refused: Blocked, account_id: str | None) -> None:
    """Tell the audit trail of a guess that was not judged, and of how many there were so far.

    Of each counter the 1st, 10th, 100th, …: the counter itself counts the rest (rule N6).
    """
    if refused.is_told:
        events.record(event, result="throttled", account_id=account_id, times=refused.times)
