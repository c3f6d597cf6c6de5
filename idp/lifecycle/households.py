"""The ends of ``families`` for many people at once: the same ends, one statement for each."""

from typing import Any

from sqlalchemy import Select, String, cast, null, select, update

from idp import clock
from idp.audit import events
from idp.credentials import devices, email_changes, one_time_tokens
from idp.database import transaction
from idp.oidc import grants_service
from idp.people import linking
from idp.people.models import Account
from idp.sessions import service as sessions


def end_guardianships(
    ended: Select[Any], reason: str, code: str | None = None, **detail: Any
) -> int:
    """``families.end_guardianship`` for many, in the caller's transaction; returns how many.

    ``ended`` yields ids of guardianships, the same ones each time it is asked. After the commit
    no session remembers these children, no grant names them (security rule C2).
    """
    with transaction():
        # In the order of the single form, so that the two wait for each other
        count = linking.mark_guardianships_ended(ended, reason, code, **detail)
        sessions.forget_children(ended)
        grants_service.end_for_guardianships(ended, "guardianship ended")
    return count


def disable_invited(accounts: Select[Any], **detail: Any) -> int:
    """``families.disable_account`` for many that nobody has claimed yet; returns how many.

    ``accounts`` yields ids. Who was never active should have no session, grant or device; what
    there is ends all the same.
    """
    invited = select(Account.id).where(Account.id.in_(accounts), Account.status == "invited")
    with transaction() as writes:
        # Held first: whoever claims one at this moment waits, or was first and is passed over
        writes.execute(invited.order_by(Account.id).with_for_update(key_share=True)).all()
        sessions.end_for_accounts(invited)
        grants_service.end_for_accounts(invited, "account disabled")
        one_time_tokens.end_for_accounts(invited)
        email_changes.end_waiting_for_accounts(invited)
        devices.forget_for_accounts(invited)
        events.record_each("account_disabled", _themselves(invited), **detail)
        # The last, because ``accounts`` may yield them only as long as nothing has changed
        count: int = writes.execute(
            update(Account)
            .where(Account.id.in_(invited))
            .values(
                status="disabled",
                closed_at=clock.now(),  # the next guardianship opens it again
                credentials_epoch=Account.credentials_epoch + 1,
                updated_at=clock.now(),
            )
            .execution_options(synchronize_session=False)
        ).rowcount
    return count


def end_former_addresses(accounts: Select[Any], **detail: Any) -> None:
    """What ``email_change.by_staff`` does beside the address, for many that just got another.

    In the transaction that gave it to them; ``accounts`` yields ids. Nobody has proved the new
    address, tokens that went to the former one end (security rule P15), and so do changes that
    wait and proofs that are being judged. Nobody is told: who was never active gets an
    invitation where they are now.
    """
    with transaction() as writes:
        writes.execute(
            update(Account)
            .where(Account.id.in_(accounts))
            .values(email_verified_at=None, credentials_epoch=Account.credentials_epoch + 1)
            .execution_options(synchronize_session=False)
        )
        one_time_tokens.end_for_accounts(accounts)
        email_changes.end_waiting_for_accounts(accounts)
        events.record_each("email_changed", _themselves(accounts), by="school", **detail)


def _themselves(accounts: Select[Any]) -> Select[*tuple[Any, ...]]:
    """Rows for ``events.record_each``: these accounts, and no child."""
    return select(Account.id, cast(null(), String)).where(Account.id.in_(accounts))
