"""``idp child``: children, and who their guardians are."""

from typing import Any

import click
from sqlalchemy import case, select

from idp.cli import erase, named, output
from idp.cli.errors import BadInput
from idp.cli.group import Noun
from idp.database import db
from idp.desk.access.rights import AT_TERMINAL
from idp.desk.people import guardianships, pupils
from idp.desk.people import page as desk_people
from idp.desk.people.account_actions import Reason
from idp.errors import NotFound
from idp.people import children
from idp.people.guardianships import LiveGuardianship
from idp.people.models import RELATIONSHIPS, Child

COLUMNS = ("id", "given_name", "family_name", "class", "school", "number")

command = Noun("child", help="Children, and who their guardians are.")
command.command("erase")(erase.child_erase)


@command.command("create")
@click.option("--school", "school_id", required=True, help="The school's name or id.")
@click.option("--given-name", default="", help="One of both names is enough.")
@click.option("--family-name", default="")
@click.option("--class", "class_name", default="", help="Such as 3B.")
@click.option("--number", help="The school's own number for the pupil.")
@click.option("--guardian", "guardians", multiple=True, help="A guardian's user name; repeatable.")
@output.json_option
def child_create(
    school_id: str,
    given_name: str,
    family_name: str,
    class_name: str,
    number: str | None,
    guardians: tuple[str, ...],
    as_json: bool,
) -> None:
    r"""Add a child to a school.

    Example:
      idp child create --school s_4vXb… --given-name Lina --family-name Dubois \
        --class 3B --guardian claire.dubois
    """
    accounts = [named.account(username) for username in guardians]
    child = children.create_child(school_id, given_name, family_name, class_name, number)
    for account in accounts:
        guardianships.link(AT_TERMINAL, account.id, child.id, "parent")
    output.one(_row(child), as_json)


@command.command("link")
@click.argument("child_id")
@click.argument("username")
@click.option(
    "--relationship", type=click.Choice(RELATIONSHIPS), default="parent", show_default=True
)
@output.json_option
def child_link(child_id: str, username: str, relationship: str, as_json: bool) -> None:
    """Let a guardian see a child. A live link stays as it is.

    Example:
      idp child link p_4vXb… marc --relationship father
    """
    account = named.account(username)
    made = _linked(account.id, child_id, relationship)
    row = output.fields(made, "child_id", "account_id", "relationship", "created_at")
    output.one(row, as_json)


@command.command("unlink")
@click.argument("child_id")
@click.argument("username")
@click.option("--reason", default="", help="Kept with the ended guardianship.")
def child_unlink(child_id: str, username: str, reason: str) -> None:
    """End a guardianship: choices, tokens and claims that name the child end at once.

    Example:
      idp child unlink p_4vXb… marc --reason "court order of 3 March"
    """
    account = named.account(username)
    try:
        ended = guardianships.end(AT_TERMINAL, account.id, child_id, Reason("other", reason))
    except NotFound:
        ended = False
    if not ended:
        raise BadInput(f"{account.username} is no guardian of {child_id}")
    click.echo(f"{account.username} is no longer a guardian of {child_id}.")


@command.command("show")
@click.argument("child_id")
@output.json_option
def child_show(child_id: str, as_json: bool) -> None:
    """Show one child, with the guardians of today.

    Example:
      idp child show p_4vXb…
    """
    pupil = desk_people.pupil(AT_TERMINAL, child_id)
    guardians = [link.account.username for link in pupil.links if link.live]
    output.one(
        {**_row(pupil.child), "left_at": pupil.child.left_at, "guardians": guardians}, as_json
    )


@command.command("edit")
@click.argument("child_id")
@click.option("--given-name")
@click.option("--family-name")
@click.option("--class", "class_name", help="Such as 3B.")
@output.json_option
def child_edit(child_id: str, as_json: bool, **values: str | None) -> None:
    """Correct a child's name or class. What is not named stays.

    Example:
      idp child edit p_4vXb… --class 4B
    """
    child = desk_people.pupil(AT_TERMINAL, child_id).child
    before = {"given_name": child.given_name, "family_name": child.family_name}
    before["class_name"] = child.class_name
    changed = {name: value for name, value in values.items() if value is not None}
    pupils.change(AT_TERMINAL, child_id, **{**before, **changed}, shown=before)
    output.one(_row(desk_people.pupil(AT_TERMINAL, child_id).child), as_json)


@command.command("left")
@click.argument("child_id")
def child_left(child_id: str) -> None:
    """Note that a child has left the school: its guardianships end.

    Example:
      idp child left p_4vXb…
    """
    done = pupils.leave(AT_TERMINAL, desk_people.pupil(AT_TERMINAL, child_id).child.id)
    click.echo("It is noted." if done else "That was known.")


@command.command("back")
@click.argument("child_id")
def child_back(child_id: str) -> None:
    """Note that a child is back at school; link its guardians again.

    Example:
      idp child back p_4vXb…
    """
    done = pupils.come_back(AT_TERMINAL, desk_people.pupil(AT_TERMINAL, child_id).child.id)
    click.echo("It is noted." if done else "It had not left.")


@command.command("list")
@click.option("--school", "school_id", help="Of this school.")
@click.option("--guardian", "username", help="Of this guardian (user name).")
@output.json_option
def child_list(school_id: str | None, username: str | None, as_json: bool) -> None:
    """List children.

    Examples:
      idp child list --school s_4vXb…
      idp child list --guardian claire.dubois --json
    """
    query = select(Child).where(Child.left_at.is_(None))
    by_name = case((Child.family_name == "", Child.given_name), else_=Child.family_name)
    query = query.order_by(Child.school_id, Child.class_name, by_name, Child.given_name)
    if school_id is not None:
        query = query.where(Child.school_id == school_id)
    if username is not None:
        linked = select(LiveGuardianship.child_id).where(
            LiveGuardianship.account_id == named.account(username).id
        )
        query = query.where(Child.id.in_(linked))
    output.rows([_row(child) for child in db.session.scalars(query)], COLUMNS, as_json)


def _linked(account_id: str, child_id: str, relationship: str) -> LiveGuardianship:
    """The live link, made now or before. Raises ``BadInput``."""
    guardianships.link(AT_TERMINAL, account_id, child_id, relationship)
    query = select(LiveGuardianship).where(
        LiveGuardianship.account_id == account_id, LiveGuardianship.child_id == child_id
    )
    return db.session.scalars(query).one()


def _row(child: Child) -> dict[str, Any]:
    return {
        "id": child.id,
        "given_name": child.given_name,
        "family_name": child.family_name,
        "class": child.class_name,
        "school": child.school.name,
        "school_id": child.school_id,
        "number": child.sourced_id,
    }
