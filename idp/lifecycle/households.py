"""The ends of ``families`` for many people at once: the same ends, one statement for each."""

from typing import Any

from sqlalchemy import Select, update

from idp import clock
from idp.audit import events
from idp.credentials import one_time_tokens
from idp.database import transaction
from idp.oidc import grants_service
from idp.people import service as people
from idp.people.models import Account
from idp.sessions import service as sessions


def end_guardianships(ended: Select[Any], reason: str, **detail: Any) -> int:
    """``families.end_guardianship`` for many, in the caller's transaction; returns how many.

    ``ended`` yields ids of guardianships, the same ones each time it is asked. After the commit
    no session remembers these children, no grant names them (security rule C2).
    """
    with transaction():
        # In the order of the single form, so that the two wait for each other
        count = people.mark_guardianships_ended(ended, reason, **detail)
        sessions.forget_children(ended)
        grants_service.end_for_guardianships(ended, "guardianship ended")
    return count


def disable_invited(accounts: Select[Any], **detail: Any) -> int:
    """Disable accounts that nobody has claimed yet, and end their tokens; returns how many.

    ``accounts`` yields ids. Who was never active has no session, grant or device to end.
    """
    now = clock.now()
    invited = Account.id.in_(accounts) & (Account.status == "invited")
    with transaction() as writes:
        count: int = writes.execute(
            update(Account)
            .where(invited)
            .values(status="disabled", updated_at=now)
            .execution_options(synchronize_session=False)
        ).rowcount
        one_time_tokens.end_for_accounts(accounts)
        events.record("account_disabled", count=count, **detail)
    return count
