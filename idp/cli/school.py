"""``idp school``: the schools."""

import sys
from pathlib import Path
from typing import Any

import click

from idp.cli import output
from idp.cli.errors import BadInput
from idp.cli.group import Noun
from idp.desk import schools as desk
from idp.desk.access.rights import AT_TERMINAL
from idp.desk.overview import expiring, traffic
from idp.desk.overview import onboarding as overview
from idp.people import logos, schools
from idp.people.models import TEXT_KINDS, TEXT_LENGTH, School
from idp.settings import LOCALES

command = Noun("school", help="Schools.")

_language = click.Choice(LOCALES)


@command.command("create")
@click.argument("name")
@click.option("--colour", help="Its colour, such as #1d4f91.")
@click.option("--logo", type=click.Path(path_type=Path), help="Its logo, a picture file.")
@click.option("--contact-name", default="", help="Whom parents may ask.")
@click.option("--contact-email", default="", help="Where parents may write.")
@click.option("--contact-phone", default="", help="Where parents may call.")
@click.option("--locale", type=_language, default="fr", show_default=True)
@output.json_option
def school_create(
    name: str, colour: str | None, logo: Path | None, as_json: bool, **values: str
) -> None:
    r"""Add a school; prints its id.

    Example:
      idp school create "Collège des Tilleuls" --colour "#1d4f91" \
        --contact-name "Mme Peeters" --contact-email bureau@tilleuls.example
    """
    school = desk.make(
        AT_TERMINAL,
        name,
        **({} if colour is None else {"colour": colour}),
        **values,
        logo_png=None if logo is None else logos.cleaned(_file(logo)),
    )
    output.one(_row(school), as_json)


@command.command("edit")
@click.argument("school_id", metavar="SCHOOL")
@click.option("--name", help="As parents know it.")
@click.option("--colour", help="Its colour, such as #1d4f91.")
@click.option("--contact-name", help="Whom parents may ask.")
@click.option("--contact-email", help="Where parents may write.")
@click.option("--contact-phone", help="Where parents may call.")
@click.option("--locale", type=_language, help="Its first language.")
@click.option(
    "--language",
    "languages",
    type=_language,
    multiple=True,
    help="Offered on its pages; repeatable, in place of those before.",
)
@click.option(
    "--hide-provider",
    "hidden_providers",
    multiple=True,
    help="A provider's key that its sign-in pages do not offer; repeatable, in place of those"
    " before. An empty one shows all.",
)
@click.option(
    "--stay-signed-in-days",
    metavar="DAYS",
    help="How long a family's own device may stay signed in; 0: not at all, default: as"
    " IDP_STAY_SIGNED_IN_DAYS says.",
)
@click.option(
    "--keep-leavers-days",
    metavar="DAYS",
    help="How long pupils who left, and accounts without a pupil, are kept; default: as"
    " IDP_KEEP_LEAVERS_DAYS says.",
)
@output.json_option
def school_edit(school_id: str, as_json: bool, **values: Any) -> None:
    r"""Change what parents see of a school. What is not named stays.

    Example:
      idp school edit s_4vXb… --colour "#1d4f91" --locale nl --language nl --language fr \
        --hide-provider facebook --stay-signed-in-days 30 --keep-leavers-days 365
    """
    changes = {name: value for name, value in values.items() if value not in (None, ())}
    if not changes:
        raise BadInput("there is nothing to change: see idp school edit --help")
    if "hidden_providers" in changes:
        changes["hidden_providers"] = [key for key in changes["hidden_providers"] if key]
    desk.find(AT_TERMINAL, school_id)
    desk.change(AT_TERMINAL, school_id, changes)
    output.one(_row(desk.find(AT_TERMINAL, school_id)), as_json)


@command.command("logo")
@click.argument("school_id", metavar="SCHOOL")
@click.argument("file", type=click.Path(path_type=Path), required=False)
@click.option("--remove", is_flag=True, help="Take the logo away.")
def school_logo(school_id: str, file: Path | None, remove: bool) -> None:
    """Make a school's logo of a picture (PNG, JPEG, WebP, GIF), or take it away.

    Examples:
      idp school logo s_4vXb… tilleuls.jpg
      idp school logo s_4vXb… --remove
    """
    if remove == (file is not None):
        raise BadInput("name a picture, or say --remove")
    desk.find(AT_TERMINAL, school_id)
    desk.set_logo(AT_TERMINAL, school_id, None if file is None else _file(file))
    click.echo("removed" if remove else "saved")


@command.command("text")
@click.argument("school_id", metavar="SCHOOL")
@click.argument("kind", type=click.Choice(TEXT_KINDS))
@click.argument("language", type=_language)
@click.option("--opening", help="Before our words; - reads it from standard input.")
@click.option("--closing", help="After our words; - reads it from standard input.")
@output.json_option
def school_text(
    school_id: str,
    kind: str,
    language: str,
    opening: str | None,
    closing: str | None,
    as_json: bool,
) -> None:
    """Show or change a school's own words in the letters to parents.

    Example:
      idp school text s_4vXb… invitation fr --closing "La direction"
    """
    desk.find(AT_TERMINAL, school_id)
    if opening == closing == "-":
        raise BadInput("standard input holds one text only")
    _school, words = desk.letter(AT_TERMINAL, school_id, kind, language)
    if opening is not None or closing is not None:
        desk.set_words(
            AT_TERMINAL,
            school_id,
            kind,
            language,
            opening=words.opening if opening is None else _text(opening),
            closing=words.closing if closing is None else _text(closing),
        )
        _school, words = desk.letter(AT_TERMINAL, school_id, kind, language)
    output.one({"opening": words.opening, "closing": words.closing}, as_json)


@command.command("show")
@click.argument("school_id", metavar="SCHOOL")
@output.json_option
def school_show(school_id: str, as_json: bool) -> None:
    """Show one school.

    Example:
      idp school show "Collège des Tilleuls"
    """
    output.one(_row(desk.find(AT_TERMINAL, school_id)), as_json)


@command.command("list")
@output.json_option
def school_list(as_json: bool) -> None:
    """List every school.

    Example:
      idp school list --json
    """
    rows = [_row(school) for school in schools.list_schools()]
    output.rows(rows, ("id", "name", "locale", "contact_name", "contact_email"), as_json)


@command.command("figures")
@click.argument("school_id", metavar="SCHOOL")
@output.json_option
def school_overview(school_id: str, as_json: bool) -> None:
    """How far a school's guardians came, by class; with --json sign-ins and mails, too.

    Each step holds whoever came as far as that or farther.

    Example:
      idp school figures s_4vXb… --json
    """
    funnel = overview.by_class(AT_TERMINAL, school_id)
    classes = [_steps(row) for row in funnel.rows]
    total = _steps(funnel.total)
    if not as_json:
        output.rows([*classes, {**total, "name": "all together"}], ("name", *overview.STEPS), False)
        return
    hours = traffic.sign_ins(AT_TERMINAL, school_id)
    row = {
        "school_id": school_id,
        "steps": total,
        "classes": classes,
        "sign_ins_by_hour": {"last_7_days": hours.week, "last_24_hours": hours.day},
        "mail_trouble": traffic.mail_trouble(AT_TERMINAL, school_id),
        "tokens_expiring": expiring.tokens_expiring(AT_TERMINAL, school_id),
    }
    output.one(row, as_json)


def _steps(row: overview.Row) -> output.Row:
    return {"name": row.name, **dict(zip(overview.STEPS, row.counts, strict=True))}


def _row(school: School) -> output.Row:
    contact = ("contact_name", "contact_email", "contact_phone")
    days = ("stay_signed_in_days", "keep_leavers_days")
    return {
        **output.fields(school, "id", "name", "colour", "locale"),
        "languages": " ".join(schools.offered_languages(school)),
        **output.fields(school, "hidden_providers", *days, *contact),
        "logo": school.logo_digest is not None,
        "created_at": school.created_at,
    }


def _file(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(logos.UPLOAD_BYTES + 1)


def _text(argument: str) -> str:
    return sys.stdin.read(4 * TEXT_LENGTH + 1) if argument == "-" else argument
