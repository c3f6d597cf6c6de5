"""Fill the columns of 0022 from what is known.

In batches, each committed by itself: no account is held for longer than its batch takes, and
whoever stops half-way goes on by running it again. The former release serves meanwhile.

Revision ID: 0023
Revises: 0022
"""

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.engine import Connection

from idp.mail import answers

revision = "0023"
down_revision = "0022"
branch_labels = None
depends_on = None

BATCH = 1000

_ACCOUNTS = sa.text("""
UPDATE accounts SET
  claimed_at = CASE
    WHEN claimed_at IS NOT NULL THEN claimed_at
    WHEN status = 'active' OR first_sign_in_at IS NOT NULL
      OR EXISTS (SELECT 1 FROM passwords o WHERE o.account_id = accounts.id)
      OR EXISTS (SELECT 1 FROM passkeys o WHERE o.account_id = accounts.id)
      OR EXISTS (SELECT 1 FROM federated_links o WHERE o.account_id = accounts.id)
    THEN coalesce(
      (SELECT min(e.at) FROM audit_events e
       WHERE e.account_id = accounts.id AND e.event = 'account_activated'),
      first_sign_in_at, created_at)
  END,
  last_sign_in_at = coalesce(
    last_sign_in_at,
    (SELECT max(e.at) FROM audit_events e
     WHERE e.account_id = accounts.id AND e.event = 'sign_in'),
    (SELECT max(s.auth_time) FROM browser_sessions s WHERE s.account_id = accounts.id),
    first_sign_in_at)
WHERE id > :after AND id <= :last
""")
_ACCOUNTS_END = (
    "SELECT max(id) FROM (SELECT id FROM accounts WHERE id > :after ORDER BY id LIMIT :n) b"
)
_ANSWERED = """
SELECT id, answer FROM outbox
WHERE id > :after AND answer IS NOT NULL AND meaning IS NULL ORDER BY id LIMIT :n
"""


def upgrade() -> None:
    with op.get_context().autocommit_block():
        connection = op.get_bind()
        _fill_accounts(connection)
        _fill_meanings(connection)


def downgrade() -> None:
    """What was filled goes with its columns."""


def _fill_accounts(connection: Connection) -> None:
    after: Any = ""
    while last := connection.scalar(sa.text(_ACCOUNTS_END), {"after": after, "n": BATCH}):
        connection.execute(_ACCOUNTS, {"after": after, "last": last})
        after = last


def _fill_meanings(connection: Connection) -> None:
    after: Any = ""
    while rows := connection.execute(sa.text(_ANSWERED), {"after": after, "n": BATCH}).all():
        connection.execute(
            sa.text("UPDATE outbox SET meaning = :meaning WHERE id = :id"),
            [{"id": row.id, "meaning": answers.meaning(row.answer)} for row in rows],
        )
        after = rows[-1].id
