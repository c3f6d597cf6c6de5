"""``idp check``: the doctor."""

import os
from collections import Counter
from dataclasses import MISSING, asdict
from datetime import timedelta
from typing import Any

import click
from flask.cli import ScriptInfo

from idp.cli import output
from idp.cli.group import Command
from idp.doctor import LEVELS, Finding, configuration, environment, installation, running
from idp.settings import Settings, UnsafeSettings, described, safety


@click.command("check", cls=Command)
@click.option("--settings", "table", is_flag=True, help="Print the table of settings (Markdown).")
@output.json_option
@click.pass_context
def command(ctx: click.Context, table: bool, as_json: bool) -> None:
    """Say what is unsafe or does not work, why, and what to do. Ends with 1 if anything is so.

    Unsafe: `idp serve` refuses it. Not working: tried just now – the mail server, the folders,
    writes, the workers. To look at: fine only if it is meant so.

    Examples:
      idp check
      idp check --json
      idp check --settings
    """
    if table:
        click.echo(_table_of_settings())
        return
    findings = sorted(_findings(ctx), key=lambda finding: LEVELS.index(finding.level))
    if as_json:
        output.rows([asdict(finding) for finding in findings], (), as_json=True)
    else:
        _print(findings)
    ctx.exit(1 if any(finding.level != "notice" for finding in findings) else 0)


def _findings(ctx: click.Context) -> list[Finding]:
    try:
        settings = Settings.from_environment(os.environ)
    except UnsafeSettings as error:
        return [
            Finding("danger", "settings", f"{problem}.", "Correct it; nothing else was looked at.")
            for problem in error.problems
        ]
    findings = list(configuration.of_settings(settings))
    findings += environment.of_variables(dict(os.environ))
    if safety.problems(settings):
        words = "Database, keys and clients were not looked at: the settings refuse to start."
        remedy = "Correct them, then ask again."
        return [*findings, Finding("notice", "installation", words, remedy)]
    with ctx.ensure_object(ScriptInfo).load_app().app_context():
        findings += installation.of_installation()
        if not any(each.subject == "database" and each.level == "danger" for each in findings):
            findings += running.of_running()
        return findings


def _print(findings: list[Finding]) -> None:
    for finding in findings:
        click.echo(f"{finding.level.upper():<7} {finding.subject}: {finding.sentence}")
        click.echo(f"        {finding.remedy}")
    counted = Counter(finding.level for finding in findings)
    words = {"danger": "unsafe", "trouble": "not working", "notice": "to look at"}
    sums = [f"{counted[level]} {words[level]}" for level in LEVELS]
    click.echo(f"{', '.join(sums)}." if findings else "Nothing unsafe was found.")


def _table_of_settings() -> str:
    lines = ["| variable | default | meaning |", "|---|---|---|"]
    lines += [f"| `{name}` | {_shown(value)} | {meaning} |" for name, value, meaning in described()]
    return "\n".join(lines)


def _shown(default: Any) -> str:
    if default is MISSING:  # nothing, such as an empty map
        return "–"
    match default:
        case bool():
            return "`1`" if default else "`0`"
        case timedelta():
            return f"`{int(default.total_seconds())}`"
        case None | b"" | "" | ():
            return "–"
    return f"`{default}`"
