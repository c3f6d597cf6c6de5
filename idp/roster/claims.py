"""Whose an account is: nobody's yet, or its holder's (security rules A2 and N2)."""


def unclaimed(accounts: str) -> str:
    """SQL: nobody has made the account theirs yet; ``accounts``: what the query calls the table.

    Its address is the school's to correct. Later it is its holder's, and a file moves it nowhere.
    """
    owned = " AND ".join(
        f"NOT EXISTS (SELECT 1 FROM {table} o WHERE o.account_id = {accounts}.id)"
        for table in ("passwords", "passkeys", "federated_links", "staff_roles")
    )
    verified = f"{accounts}.email_verified_at IS NULL"
    unclaimed = f"{accounts}.status = 'invited' AND {accounts}.claimed_at IS NULL"
    return f"({unclaimed} AND {verified} AND {owned})"
