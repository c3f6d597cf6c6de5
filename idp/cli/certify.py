"""``idp certify``: a test school and a robot for the developer of an application."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from threading import Event
from typing import Any
from urllib.parse import urlsplit

import click

from idp.certify import application, enrolment, provider, run
from idp.certify.robot import Browser, HttpBrowser, Unreachable
from idp.certify.school import TestSchool
from idp.certify.trial import Trial
from idp.certify.visitor import Target
from idp.cli import inputs, output
from idp.cli.application import stopped_by_signals
from idp.cli.errors import BadInput
from idp.cli.group import Command
from idp.clients import certification
from idp.clients.certification import FAILED, PASSED, UNTOLD, Report, Result
from idp.clients.certification_checks import CHECKS
from idp.clients.uris import problem_of_page

_HEADING = {PASSED: "passed", FAILED: "FAILED", UNTOLD: "could not be told"}

_TOLD_AT = (
    ("backchannel_logout_uri", "back_channel_logout"),
    ("security_events_uri", "security_events"),
)


@click.command("certify", cls=Command)
@click.argument("address")
@click.argument("program", nargs=-1, type=click.UNPROCESSED)
@click.option("--login", default="login", show_default=True, help="Where a sign-in begins.")
@click.option("--switch", default="switch", show_default=True, help="« Another child ».")
@click.option("--logout", default="logout", show_default=True, help="Signs out.")
@click.option("--back-channel-logout", help="Where it takes logout tokens.")
@click.option("--security-events", help="Where it takes security events.")
@click.option("--page", default="", help="A page that names the parent or the child.")
@click.option(
    "--metadata",
    "metadata_file",
    type=click.Path(path_type=Path),
    help="RFC 7591 metadata (JSON) that is not to be learnt from its requests, `-` for stdin.",
)
@click.option(
    "--patience",
    type=click.FloatRange(1, 3600),
    default=15,
    show_default=True,
    help="Seconds that a page may stay open after the end of a guardianship.",
)
@click.option(
    "--only",
    multiple=True,
    metavar="CHECK",
    type=click.Choice([check.code for check in CHECKS]),
    help="This check, and what it stands on; repeatable.",
)
@click.option(
    "--wait",
    type=click.FloatRange(0, 3600),
    default=300,
    show_default=True,
    help="Seconds until the application has to answer.",
)
@click.option(
    "--port",
    type=click.IntRange(1, 65535),
    default=provider.PORT,
    show_default=True,
    help="Of the test provider.",
)
@click.option("--issuer", help="Its address, where a proxy with TLS stands before the port.")
@click.option("--browser", is_flag=True, help="Drive Chromium, for pages that need scripts.")
@click.option(
    "--stay", is_flag=True, help="Let the test school answer until Ctrl-C, to look by hand."
)
@output.json_option
@click.pass_context
def command(
    ctx: click.Context,
    /,
    address: str,
    program: tuple[str, ...],
    as_json: bool,
    **options: Any,
) -> None:
    """Try an application with a test school, and name its mistakes. Ends with 1 if there are any.

    Starts a test provider at http://127.0.0.1:9400, prints what the application has to be set up
    with – the same each time – and waits until the application answers at ADDRESS. Or it starts
    PROGRAM with these values in the variables that the programs of docs/integrate.md read.

    Then a robot signs in as parents of awkward families, while the test provider answers wrongly
    now and then. Each mistake is named with the line of the documentation that helps. What no
    page shows « could not be told »: it is neither passed nor failed.

    No setting is read, and no database is touched but one that is thrown away.

    Examples:
      idp certify http://127.0.0.1:3000/
      idp certify http://127.0.0.1:3000/ -- flask --app app run --port 3000
      idp certify http://localhost:8080/ --login /auth/login --page /me --json
    """
    _check(address)
    metadata = inputs.document(options["metadata_file"]) if options["metadata_file"] else {}
    target = Target(address, *(options[name] for name in ("login", "switch", "logout", "page")))
    say = _silent if as_json else click.echo
    try:
        with _test_provider(options, metadata) as running, _browsers(options["browser"]) as opens:
            report = _tried(running, target, opens, program, options, say)
            if as_json:
                output.one(certification.as_json(report), as_json=True)
            else:
                _print_sum(report)
    except Unreachable as error:
        raise BadInput(str(error)) from error
    ctx.exit(0 if report.clean else 1)


def _tried(
    running: provider.TestProvider,
    target: Target,
    opens: Callable[[], Browser],
    program: tuple[str, ...],
    options: dict[str, Any],
    say: Callable[[str], None],
) -> Report:
    """The report on the application, which is started or waited for."""
    running.registration.home = target.home
    running.registration.told_at = {
        field: target.at(options[option]) for field, option in _TOLD_AT if options[option]
    }
    school = running.enrol()
    variables = application.environment(
        running.issuer, provider.CLIENT_ID, provider.CLIENT_SECRET, target.home
    )
    say(_introduction(variables, target, program))
    trial = Trial(running, school, target, opens, options["patience"])
    with application.started(program, variables, target.home):
        application.wait_for(target.home, options["wait"])
        report = run.report(trial, options["only"], partial(_say, say))
        if options["stay"]:
            _stay(school, say)
    return report


@contextmanager
def _test_provider(
    options: dict[str, Any], metadata: dict[str, Any]
) -> Iterator[provider.TestProvider]:
    """The test provider at the port that is wanted. Raises ``BadInput`` where it is taken."""
    port = options["port"]
    try:
        with provider.running(port=port, issuer=options["issuer"], metadata=metadata) as running:
            yield running
    except provider.PortTaken:
        raise BadInput(f"port {port} is taken by another program (--port)") from None


@contextmanager
def _browsers(chromium: bool) -> Iterator[Callable[[], Browser]]:
    """What opens a browser of the kind that is wanted."""
    if not chromium:
        yield HttpBrowser
        return
    try:
        from idp.certify.chromium import browsers
    except ModuleNotFoundError:
        raise BadInput("Playwright is missing: pip install 'school-idp[certify]'") from None
    with browsers() as opens:
        yield opens


def _check(address: str) -> None:
    if problem_of_page(address) or urlsplit(address).query:
        raise BadInput(
            f"{address} is no address of an application: http://127.0.0.1:… or https://…"
        )


def _introduction(variables: dict[str, str], target: Target, program: tuple[str, ...]) -> str:
    lines = [f"The test provider answers at {variables['ISSUER']}."]
    if program:
        return "\n".join([*lines, f"Starting {program[0]} …", ""])
    lines += ["Start the application with:"]
    lines += [f"  {name}={value}" for name, value in variables.items()]
    lines += [f"Waiting until it answers at {target.home} …", ""]
    return "\n".join(lines)


def _say(say: Callable[[str], None], result: Result) -> None:
    if result.seen != run.NOBODY_IN:
        say(_sentence(result))


def _sentence(result: Result) -> str:
    check = result.check
    lines = [f"{_HEADING[result.verdict]}: {check.title} ({check.code})"]
    if result.verdict != PASSED:
        lines.append(f"    seen: {output.shown(result.seen)}")
    if result.verdict == FAILED:
        lines.append(f"    help: {check.place}")
        lines.append(f"          « {check.sentence} »")
    return "\n".join(lines)


def _print_sum(report: Report) -> None:
    counts = {verdict: len(report.of(verdict)) for verdict in (PASSED, FAILED, UNTOLD)}
    summary = ", ".join(f"{count} {verdict}" for verdict, count in counts.items())
    click.echo(f"\n{summary}.")
    if any(each.seen == run.NOBODY_IN for each in report.results):
        click.echo("The rest stands on the first: nobody was seen signed in.")


def _stay(school: TestSchool, say: Callable[[str], None]) -> None:
    """Until Ctrl-C, for whoever wants to see for themselves."""
    say(f"\nThe test school stays. The password of everybody: {enrolment.PASSWORD}")
    for home in school.homes_by_case.values():
        for parent in home.parents:
            known = f"token {parent.token}" if parent.token else parent.username
            say(f"  {known}  {home.about}")
    say("Ctrl-C ends it.")
    stop: Event = stopped_by_signals()
    while not stop.wait(1):
        pass


def _silent(_line: str) -> None:
    """Of JSON nothing but the document is printed."""
