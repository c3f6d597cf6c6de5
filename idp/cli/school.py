"""``idp school``: the schools."""

from pathlib import Path

import click

from idp.cli import output
from idp.cli.errors import BadInput
from idp.cli.group import Noun
from idp.desk import figures, figures_expiring, figures_traffic
from idp.desk.staff import AT_TERMINAL
from idp.people import service as people
from idp.people.models import School
from idp.settings import LOCALES

LARGEST_LOGO = 256 * 1024

command = Noun("school", help="Schools.")


@command.command("create")
@click.argument("name")
@click.option("--colour", help="Its colour, such as #1d4f91.")
@click.option("--logo", type=click.Path(path_type=Path), help="Its logo, a PNG file.")
@click.option("--contact-name", default="", help="Whom parents may ask.")
@click.option("--contact-email", default="", help="Where parents may write.")
@click.option("--contact-phone", default="", help="Where parents may call.")
@click.option("--locale", type=click.Choice(LOCALES), default="fr", show_default=True)
@output.json_option
def school_create(
    name: str,
    colour: str | None,
    logo: Path | None,
    contact_name: str,
    contact_email: str,
    contact_phone: str,
    locale: str,
    as_json: bool,
) -> None:
    r"""Add a school; prints its id.

    Example:
      idp school create "Collège des Tilleuls" --colour "#1d4f91" \
        --contact-name "Mme Peeters" --contact-email bureau@tilleuls.example
    """
    school = people.create_school(
        name,
        **({} if colour is None else {"colour": colour}),
        contact_name=contact_name,
        contact_email=contact_email,
        contact_phone=contact_phone,
        locale=locale,
        logo_png=None if logo is None else _logo(logo),
    )
    output.one(_row(school), as_json)


@command.command("list")
@output.json_option
def school_list(as_json: bool) -> None:
    """List every school.

    Example:
      idp school list --json
    """
    found = [_row(school) for school in people.list_schools()]
    output.rows(found, ("id", "name", "locale", "contact_name", "contact_email"), as_json)


@command.command("figures")
@click.argument("school_id", metavar="SCHOOL")
@output.json_option
def school_figures(school_id: str, as_json: bool) -> None:
    """How far a school's guardians came, by class; with --json sign-ins and mails, too.

    Each step holds whoever came as far as that or farther.

    Example:
      idp school figures s_4vXb… --json
    """
    try:
        funnel = figures.by_class(AT_TERMINAL, school_id)
    except figures.NotFound:
        raise BadInput(f"there is no school {school_id}") from None
    classes = [_steps(row) for row in funnel.rows]
    total = _steps(funnel.total)
    if not as_json:
        output.rows([*classes, {**total, "name": "all together"}], ("name", *figures.STEPS), False)
        return
    hours = figures_traffic.sign_ins(AT_TERMINAL, school_id)
    row = {
        "school_id": school_id,
        "steps": total,
        "classes": classes,
        "sign_ins_by_hour": {"last_7_days": hours.week, "last_24_hours": hours.day},
        "mail_trouble": figures_traffic.mail_trouble(AT_TERMINAL, school_id),
        "tokens_expiring": figures_expiring.tokens_expiring(AT_TERMINAL, school_id),
    }
    output.one(row, as_json)


def _steps(row: figures.Row) -> output.Row:
    return {"name": row.name, **dict(zip(figures.STEPS, row.counts, strict=True))}


def _row(school: School) -> output.Row:
    return {
        "id": school.id,
        "name": school.name,
        "colour": school.colour,
        "locale": school.locale,
        "contact_name": school.contact_name,
        "contact_email": school.contact_email,
        "contact_phone": school.contact_phone,
        "logo": school.logo_digest is not None,
        "created_at": school.created_at,
    }


def _logo(path: Path) -> bytes:
    with path.open("rb") as file:
        content = file.read(LARGEST_LOGO + 1)
    if len(content) > LARGEST_LOGO:
        raise BadInput(f"the logo {path} is larger than {LARGEST_LOGO // 1024} KiB")
    return content
