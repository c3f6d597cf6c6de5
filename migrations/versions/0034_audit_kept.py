"""The audit trail refuses removals, but in a transaction that says it purges.

Revision ID: 0034
Revises: 0033
"""

from alembic import op

revision = "0034"
down_revision = "0033"
branch_labels = None
depends_on = None


def upgrade() -> None:
    if op.get_bind().dialect.name == "sqlite":
        op.execute(
            "CREATE TRIGGER audit_events_kept BEFORE DELETE ON audit_events"
            " WHEN NOT EXISTS (SELECT 1 FROM installation_marks WHERE name = 'purging')"
            " BEGIN SELECT RAISE(ABORT, 'the audit trail is append-only'); END"
        )
        return
    op.execute(
        "CREATE FUNCTION refuse_audit_removal() RETURNS trigger LANGUAGE plpgsql AS"
        " $$ BEGIN IF TG_OP = 'DELETE' AND current_setting('idp.purging', true) = 'on'"
        " THEN RETURN OLD; END IF;"
        " RAISE EXCEPTION 'the audit trail is append-only'; END $$"
    )
    op.execute(
        "CREATE TRIGGER audit_events_kept BEFORE DELETE ON audit_events"
        " FOR EACH ROW EXECUTE FUNCTION refuse_audit_removal()"
    )
    op.execute(
        "CREATE TRIGGER audit_events_kept_whole BEFORE TRUNCATE ON audit_events"
        " FOR EACH STATEMENT EXECUTE FUNCTION refuse_audit_removal()"
    )


def downgrade() -> None:
    if op.get_bind().dialect.name == "sqlite":
        op.execute("DROP TRIGGER audit_events_kept")
        return
    op.execute("DROP TRIGGER audit_events_kept_whole ON audit_events")
    op.execute("DROP TRIGGER audit_events_kept ON audit_events")
    op.execute("DROP FUNCTION refuse_audit_removal()")
