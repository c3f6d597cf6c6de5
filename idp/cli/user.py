"""``idp user``: guardians' accounts."""

from typing import Any

import click

from idp.cli import erase, inputs, named, output, user_desk, user_role
from idp.cli.errors import BadInput
from idp.cli.group import Noun
from idp.cli.refusals import sentence
from idp.clients import registration
from idp.credentials import email_changes
from idp.credentials import passwords as kept
from idp.database import transaction
from idp.desk.access.rights import AT_TERMINAL
from idp.desk.people import account_actions, erasures
from idp.desk.people.person_rows import GUARDIAN, PUPIL, Person
from idp.desk.search import search
from idp.errors import Conflict
from idp.federation import links
from idp.lifecycle import passwords
from idp.lifecycle.mails import requests as mail_requests
from idp.people import accounts, guardianships
from idp.people.models import ACCOUNT_STATUSES, Account
from idp.privacy import erasure
from idp.sessions import service as sessions
from idp.settings import LOCALES

COLUMNS = ("id", "username", "given_name", "family_name", "email", "status", "locale")
FOUND_COLUMNS = ("kind", "id", "name", "username", "class", "pupils", "schools", "state")

command = Noun("user", help="Guardians' accounts.")
command.add_command(user_role.command)
command.add_command(user_desk.command)
command.command("merge")(user_desk.merge)
command.command("edit")(user_desk.edit)
command.command("enable")(user_desk.enable)
command.command("erase")(erase.user_erase)


@command.command("create")
@click.argument("username")
@click.option("--given-name", default="", help="One of both names is enough.")
@click.option("--family-name", default="")
@click.option("--email", help="Where invitations and resets go.")
@click.option("--locale", type=click.Choice(LOCALES), help="The language of mails and pages.")
@click.option("--password-stdin", is_flag=True, help="Read a password from standard input.")
@click.option("--invite", is_flag=True, help="Send an invitation with a connection token.")
@output.json_option
def user_create(
    username: str,
    given_name: str,
    family_name: str,
    email: str | None,
    locale: str | None,
    password_stdin: bool,
    invite: bool,
    as_json: bool,
) -> None:
    r"""Add a guardian's account: invited, or active where a password is given.

    Examples:
      idp user create claire.dubois --given-name Claire --family-name Dubois \
        --email claire@dubois.example --invite
      idp user create marc --given-name Marc --family-name Janssens \
        --password-stdin < password.txt
    """
    if invite and password_stdin:
        raise BadInput("an account with a password needs no invitation: leave one of both out")
    password = inputs.password() if password_stdin else None
    with transaction():  # a weak password leaves no account behind
        account = accounts.create_account(
            username=username,
            given_name=given_name,
            family_name=family_name,
            email=email,
            locale=locale,
        )
        if password is not None:
            passwords.set_first_password(account.id, password)
        if invite:
            mail_requests.invite(account.id)
    output.one(_row(account), as_json)


@command.command("invite")
@click.argument("username")
@click.option("--client", "client_id", help="The application whose start page it leads to.")
@output.json_option
def user_invite(username: str, client_id: str | None, as_json: bool) -> None:
    """Send (again) an invitation; the token in it ends earlier ones.

    Example:
      idp user invite claire.dubois
    """
    if client_id is not None:
        registration.get_client(client_id)
    account = named.account(username)
    message = mail_requests.invite(account.id, client_id)
    output.one(
        {"account_id": account.id, "message_id": message.id, "status": message.status}, as_json
    )


@command.command("disable")
@click.argument("username")
@click.option("--last-operator", is_flag=True, help="Even the last operator who can sign in.")
def user_disable(username: str, last_operator: bool) -> None:
    """Disable an account: its sessions, tokens and applications' access end at once.

    The last operator who can sign in only with --last-operator: from then on nobody works for the
    platform at the desk, until a role is given here.

    Examples:
      idp user disable claire.dubois
      idp user disable ingrid.claes --last-operator
    """
    account = named.account(username)
    try:
        done = account_actions.disable_account(AT_TERMINAL, account.id, last_operator=last_operator)
    except Conflict as refused:
        raise BadInput(f"{sentence(refused)}, or say --last-operator") from refused
    click.echo(f"{account.username} is disabled." if done else "It was disabled before.")


@command.command("list")
@click.option("--status", type=click.Choice(ACCOUNT_STATUSES))
@click.option("--email", help="Those who have this address.")
@click.option("--limit", type=click.IntRange(1), help="No more than so many. Default: all.")
@output.json_option
def user_list(status: str | None, email: str | None, limit: int | None, as_json: bool) -> None:
    """List accounts by user name.

    Examples:
      idp user list --status invited
      idp user list --email famille@dubois.example
    """
    rows = (_row(account) for account in accounts.list_accounts(status=status, email=email))
    output.stream(output.limited(rows, limit, "--limit"), COLUMNS, as_json)


@command.command("search")
@click.argument("text")
@click.option("--page", type=click.IntRange(1), default=1, show_default=True)
@output.json_option
def user_search(text: str, page: int, as_json: bool) -> None:
    """Find guardians and pupils as the desk does: by name, e-mail, user name, class, number.

    Accents and small slips do no harm; 25 people at a time.

    Example:
      idp user search "dubios 3b"
    """
    results = search.find(AT_TERMINAL, text, page=page)
    output.rows([_search_row(person) for person in results.people], FOUND_COLUMNS, as_json)
    if not as_json and results.pages > 1:
        more = "more than " if results.cut else ""
        click.echo(f"Page {results.page} of {results.pages}, {more}{results.total} people.")


@command.command("show")
@click.argument("username")
@output.json_option
def user_show(username: str, as_json: bool) -> None:
    """Show an account, how it is used, the providers that it is linked to, and its children.

    Example:
      idp user show claire.dubois
    """
    account = named.account(username)
    children = [
        {
            "id": child.id,
            "name": child.full_name,
            "school": child.school.name,
            "class": child.class_name,
            "relationship": guardianship.relationship,
        }
        for child, guardianship in guardianships.live_children(account.id)
    ]
    linked = [link.provider for link in links.of_account(account.id)]
    if as_json:
        output.one(
            {**_row(account), **_state(account), "linked": linked, "children": children}, as_json
        )
        return
    output.one({**_row(account), **_state(account), "linked": linked}, as_json)
    click.echo("\nChildren:")
    output.rows(children, ("id", "name", "school", "class", "relationship"), as_json)


@command.command("email")
@click.argument("username")
@click.argument("address")
@click.option("--final", is_flag=True, help="No address before may take a change back.")
@output.json_option
def user_email(username: str, address: str, final: bool, as_json: bool) -> None:
    """Give an account another e-mail address, on the school's word.

    Ends tokens that were mailed before, and a change that the parent asked for. Both addresses
    are told. An old address that its holder had proved may take it back for seven days, unless
    this is final: then the ways back of earlier changes end as well.

    Example:
      idp user email claire.dubois claire@dubois.example
    """
    account = named.account(username)
    changed = account_actions.correct_email(AT_TERMINAL, account.id, address)
    for change in account_actions.ways_back(AT_TERMINAL, account.id) if final else ():
        account_actions.end_way_back(AT_TERMINAL, account.id, change.id)
    output.one({**_row(account), "changed": changed}, as_json)


@command.group("erasure", cls=Noun)
def user_erasure() -> None:
    """Parents' requests to be erased (GDPR Art. 17)."""


@user_erasure.command("list")
@click.option("--all", "every", is_flag=True, help="Those that were answered, too.")
@output.json_option
def erasure_list(every: bool, as_json: bool) -> None:
    """List the requests that wait for an answer, the oldest first.

    Example:
      idp user erasure list
    """
    rows = [
        {
            "username": erasure_request.account.username,
            "account_id": erasure_request.account.id,
            "asked_at": erasure_request.request.asked_at,
            "answer_by": erasure_request.request.asked_at + erasure.ANSWER_WITHIN,
            "outcome": erasure_request.request.outcome,
            "closed_at": erasure_request.request.closed_at,
        }
        for erasure_request in erasure.list_requests(every=every)
    ]
    columns = ("username", "asked_at", "answer_by", "outcome", "closed_at")
    output.rows(rows, columns, as_json)


@user_erasure.command("done")
@click.argument("username")
@click.option("--declined", is_flag=True, help="The school may not or will not erase.")
@output.json_option
def erasure_done(username: str, declined: bool, as_json: bool) -> None:
    """Note that the school has answered the request. Erases nothing: see idp user erase.

    Examples:
      idp user erasure done claire.dubois
      idp user erasure done claire.dubois --declined
    """
    account = named.account(username)
    outcome = "declined" if declined else "done"
    if not erasures.answer(AT_TERMINAL, account.id, outcome):
        raise BadInput(f"{account.username} has no request that waits for an answer")
    output.one({"username": account.username, "outcome": outcome}, as_json)


def _search_row(person: Person) -> dict[str, Any]:
    return {
        "kind": person.kind,
        "id": person.id,
        "name": person.name,
        "username": person.username or None,
        "pupils": [
            each.name + (f" ({each.class_name})" if each.class_name else "")
            for each in person.pupils
            if person.kind == GUARDIAN
        ],
        "class": person.pupils[0].class_name if person.kind == PUPIL else None,
        "schools": person.schools,
        "state": person.onboarding.step.value if person.onboarding else None,
    }


def _row(account: Any) -> dict[str, Any]:
    return output.fields(account, *COLUMNS, "created_at", "updated_at")


def _state(account: Account) -> dict[str, Any]:
    """What a help desk asks about an account: no secret, and no address that is not its own."""
    waiting = email_changes.waiting(account.id)
    request = erasure.latest(account.id)
    return {
        "email_verified_at": account.email_verified_at,
        "email_change_waits_since": waiting.asked_at if waiting else None,
        "claimed_at": account.claimed_at,
        "first_sign_in_at": account.first_sign_in_at,
        "last_sign_in_at": account.last_sign_in_at,
        "password_set_at": kept.set_at(account.id),
        "sessions": len(sessions.live(account.id)),
        "erasure_asked_at": request.asked_at if request and not request.closed_at else None,
    }
