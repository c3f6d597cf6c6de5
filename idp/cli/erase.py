"""``idp user erase``, ``idp child erase``: nothing says any more who somebody was."""

import click

from idp.cli import named
from idp.cli.errors import BadInput
from idp.desk.access.rights import AT_TERMINAL
from idp.desk.people import page
from idp.people.models import Account
from idp.purge import on_request


@click.argument("username")
@click.option("--now", is_flag=True, help="Mails and notices to them that wait are not sent.")
@click.confirmation_option(prompt="This can't be undone. Erase all that is kept of this person?")
def user_erase(username: str, now: bool) -> None:
    """Erase a disabled account, with all that says who its holder was.

    What remains is that something happened, and when, with ids that lead nowhere. A list of the
    school that still names the person brings a new account. Run it as the role that owns the
    tables.

    Example:
      idp user erase claire.dubois --yes
    """
    account = named.account(username)
    if reason := _reason_against(account, now):
        raise BadInput(reason)
    _must_own_the_tables()
    on_request.erase_account(account.id)
    click.echo(f"{account.username} is erased.")


@click.argument("child_id")
@click.confirmation_option(prompt="This can't be undone. Erase all that is kept of this child?")
def child_erase(child_id: str) -> None:
    """Erase a child who has left, with all that says who it was.

    Run it as the role that owns the tables.

    Example:
      idp child erase p_4vXb… --yes
    """
    child = page.pupil(AT_TERMINAL, child_id).child
    if child.left_at is None:
        raise BadInput(f"{child_id} has not left: first idp child left {child_id}")
    _must_own_the_tables()
    on_request.erase_child(child)
    click.echo(f"{child_id} is erased.")


def _must_own_the_tables() -> None:
    if not on_request.may_erase():
        raise BadInput(
            "this role of the database may not delete from the audit trail: run it as the role that"
            " owns the tables (DATABASE_URL)"
        )


def _reason_against(account: Account, now: bool) -> str:
    name, left = account.username, on_request.find_open(account)
    if left.has_role:
        return f"{name} works at a desk: first take the roles away (idp user role list)"
    if left.is_open:
        return f"{name} may still sign in: first idp user disable {name}"
    if left.is_asked:
        return f"{name} waits for an answer: first idp user erasure done {name}"
    if (left.mails or left.deliveries) and not now:
        return (
            f"{left.mails} mails to {name} and {left.deliveries} notices to applications wait to"
            " leave: run it again in a minute, or say --now to send none of them"
        )
    return ""
