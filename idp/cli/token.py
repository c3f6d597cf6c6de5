"""``idp token``: one-time connection tokens for letters."""

from pathlib import Path

import click

from idp import clock, settings
from idp.cli import named, output, shown_once
from idp.cli.errors import BadInput
from idp.cli.group import Noun
from idp.desk.access.rights import AT_TERMINAL
from idp.desk.printed_letters import service as printed_letters
from idp.errors import Conflict, NotFound
from idp.lifecycle.mails import requests as mail_requests
from idp.mail.messages import welcome_link

command = Noun("token", help="One-time connection tokens for letters.")


@command.command("issue")
@click.argument("username")
@output.json_option
def token_issue(username: str, as_json: bool) -> None:
    """Print a token for a letter to a guardian who has not signed in yet; earlier ones end.

    It is shown this once and stored as a hash. Refused once the account is active.

    Example:
      idp token issue claire.dubois
    """
    account = named.account(username)
    shown_once.check_output()
    expires_at = clock.now() + settings.current().first_sign_in_lifetime
    token = mail_requests.issue_letter_token(account.id)
    row = {
        "username": account.username,
        "token": token,
        "link": welcome_link(token),
        "expires_at": expires_at,
    }
    with shown_once.explaining_failure(
        "the earlier tokens have ended; run it again for another one"
    ):
        output.one(row, as_json)


_FILE = click.Path(path_type=Path, dir_okay=False)


@command.command("letter")
@click.argument("username")
@click.option("-o", "--output", "path", type=_FILE, required=True, help="The PDF file to write.")
@click.option("--school", "school_id", help="Whose letter, where there are several schools.")
@output.json_option
def token_letter(username: str, path: Path, school_id: str | None, as_json: bool) -> None:
    """Write the letter of a guardian who has not signed in yet; earlier tokens end.

    The file holds the token: only you can read it. Refused once the account is active.

    Example:
      idp token letter claire.dubois -o claire.pdf
    """
    account = named.account(username)
    try:
        with shown_once.private_file(path) as keep_sheets:  # tokens in clear
            printout = printed_letters.print_letter(
                AT_TERMINAL, account.id, school_id=school_id, keep_sheets=keep_sheets
            )
    except NotFound:
        raise BadInput(f"{account.username} is guardian of nobody at a school") from None
    except Conflict as refused:
        if refused.code == "not_invited":
            status = refused.values["status"]
            raise BadInput(f"{account.username} is {status}, not invited") from None
        raise BadInput("somebody else printed this letter just now, or it was used") from None
    output.one({"file": str(path), "letters": printout.letters}, as_json)


@command.command("letters")
@click.option("--school", "school_id", required=True, help="The school's name or id.")
@click.option("--class", "class_name", help="One class; else the whole school.")
@click.option("--with-email", is_flag=True, help="Also for those who have an e-mail address.")
@click.option("--again", is_flag=True, help="Also for those who have a letter that still works.")
@click.option("-o", "--output", "path", type=_FILE, required=True, help="The PDF file to write.")
@output.json_option
def token_letters(
    school_id: str,
    class_name: str | None,
    with_email: bool,
    again: bool,
    path: Path,
    as_json: bool,
) -> None:
    """Write the letters of a class, or of a school, to one file; earlier tokens end.

    For guardians who have not signed in yet and have neither an address nor a letter.

    Example:
      idp token letters --school s_4vXb… --class 3B -o 3B.pdf
    """
    try:
        with shown_once.private_file(path) as keep_sheets:  # tokens in clear
            printout = printed_letters.print_class(
                AT_TERMINAL,
                school_id,
                class_name,
                with_email=with_email,
                again=again,
                keep_sheets=keep_sheets,
            )
    except Conflict:
        raise BadInput("nobody waits for a letter (see --with-email and --again)") from None
    output.one({"file": str(path), "letters": printout.letters}, as_json)
