"""The console script as a whole: help, version, settings file, and errors in one line."""

import gc
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import click
import pytest
from click.testing import CliRunner

from idp.cli.program import NOUNS, cli
from tests.cli.conftest import PROGRAM, Run, finished, invoked, output_of, refused

pytestmark = pytest.mark.quick_on("postgresql")

VERBS = {
    "mtls": ("serve",),
    "db": ("upgrade", "downgrade", "current"),
    "backup": ("create", "verify", "restore", "erasures"),
    "school": ("create", "edit", "logo", "text", "show", "list", "figures"),
    "client": (
        *("create", "list", "show", "edit", "rotate-secret", "end-old-secret"),
        *("disable", "enable", "deliveries"),
    ),
    "user": (
        *("create", "invite", "disable", "enable", "edit", "merge", "email", "list", "search"),
        *("show", "erase"),
    ),
    "directory": ("rebuild",),
    "child": ("erase", "create", "link", "unlink", "show", "edit", "left", "back", "list"),
    "roster": ("check", "import", "undo", "list", "show", "map", "work", "discard"),
    "provider": ("list", "unlink"),
    "token": ("issue", "letter", "letters"),
    "keys": ("list", "ensure", "rotate", "retire", "move"),
    "mail": ("work", "list"),
    "notify": ("work", "list"),
    "overview": ("refresh",),
    "privacy": ("data", "retention"),
    "audit": ("list",),
    "serve": (),
    "purge": (),
    "certify": (),
    "alive": (),
    "check": (),
    "secrets": ("status",),
    "completion": (),
    "man": (),
}
COMMANDS = [
    (noun, *verb) for noun, verbs in VERBS.items() for verb in ([[v] for v in verbs] or [[]])
]


def test_the_help_lists_every_noun() -> None:
    result = CliRunner().invoke(cli, ["--help"])
    assert result.exit_code == 0
    assert set(VERBS) == set(NOUNS)
    for noun in NOUNS:
        assert f"  {noun} " in result.stdout


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_every_command_explains_itself_with_an_example(command: tuple[str, ...]) -> None:
    result = CliRunner().invoke(cli, [*command, "--help"])
    assert result.exit_code == 0
    assert "Example" in result.stdout
    assert f"    idp {' '.join(command)}" in result.stdout


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_k3_no_command_takes_a_secret_as_an_argument(command: tuple[str, ...]) -> None:
    words = CliRunner().invoke(cli, [*command, "--help"]).stdout.split()
    options = {word.strip(",") for word in words if word.startswith("--")}
    assert not options & {"--password", "--secret", "--client-secret", "--token", "--pepper"}


def test_it_tells_its_version() -> None:
    done = finished({}, "--version")
    assert done.returncode == 0
    assert done.stdout.startswith("idp 0.")


def test_help_needs_no_settings() -> None:
    assert invoked({}, "user", "create", "--help").exit_code == 0


@pytest.mark.parametrize("arguments", [(), ("user",)])
def test_without_a_command_the_help_is_shown_and_it_fails(arguments: tuple[str, ...]) -> None:
    result = CliRunner().invoke(cli, list(arguments))
    assert result.exit_code == 2
    assert "Usage: " in result.stderr


@pytest.mark.parametrize(
    "arguments",
    [
        ("nonsense",),
        ("user", "nonsense"),
        ("user", "show"),
        ("user", "list", "--status", "dead"),
        ("serve", "--port", "99999"),
        ("school", "create", "a\0b"),
        ("school", "create", "x" * 20_000),
        ("school", "create", "\udcff"),
    ],
    ids=lambda arguments: " ".join(arguments)[:30].encode("ascii", "replace").decode(),
)
def test_bad_input_is_one_line(run: Run, arguments: tuple[str, ...]) -> None:
    refused(run(*arguments))


def test_missing_settings_are_one_line() -> None:
    assert "IDP_SESSION_SECRET is missing" in refused(invoked({}, "school", "list"))


def test_an_unreadable_setting_is_one_line(environment: dict[str, str]) -> None:
    environment["IDP_BCRYPT_COST"] = "many"
    assert "IDP_BCRYPT_COST" in refused(invoked(environment, "school", "list"))


@pytest.mark.parametrize("url", ["nonsense", "mysql://localhost/idp", "oracle9://x"])
def test_an_address_of_no_database_is_one_line(environment: dict[str, str], url: str) -> None:
    environment["DATABASE_URL"] = url
    assert "DATABASE_URL" in refused(invoked(environment, "school", "list"))


def test_a_database_without_tables_says_what_to_do(
    environment: dict[str, str], tmp_path: Path
) -> None:
    environment["DATABASE_URL"] = f"sqlite:///{tmp_path}/empty.db"
    assert "idp db upgrade" in refused(invoked(environment, "school", "list"))


def test_a_folder_for_a_database_is_one_line(environment: dict[str, str], tmp_path: Path) -> None:
    environment["DATABASE_URL"] = f"sqlite:///{tmp_path}"
    assert "database can't be reached" in refused(invoked(environment, "school", "list"))


@pytest.mark.long
def test_settings_come_from_a_file(environment: dict[str, str], tmp_path: Path) -> None:
    path = tmp_path / "settings.env"
    lines = [f'export {name}="{value}"' for name, value in environment.items()]
    path.write_text("\n".join(["# our settings", "", *lines]), encoding="utf-8")

    by_option = finished({}, "--env-file", str(path), "school", "list", "--json")
    by_variable = invoked({"IDP_ENV_FILE": str(path)}, "school", "list", "--json")

    assert json.loads(by_option.stdout) == json.loads(by_variable.stdout) == []


def test_the_environment_wins_over_the_file(environment: dict[str, str], tmp_path: Path) -> None:
    path = tmp_path / "settings.env"
    path.write_text("DATABASE_URL=nonsense\n", encoding="utf-8")
    assert invoked(environment, "--env-file", str(path), "school", "list").exit_code == 0


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"IDP_DEMO=1\nhunter2-is-no-assignment\n", "line 2 is not KEY=VALUE"),
        (b"IDP_DEMO=\xff\n", "not UTF-8"),
        (None, "can't be read"),
    ],
)
def test_a_bad_settings_file_is_one_line(
    tmp_path: Path, content: bytes | None, reason: str
) -> None:
    path = tmp_path / "settings.env"
    if content is not None:
        path.write_bytes(content)

    line = refused(invoked({"IDP_ENV_FILE": str(path)}, "school", "list"))

    assert reason in line
    assert "hunter2" not in line


@pytest.mark.long
def test_names_survive_a_terminal_that_knows_no_unicode(environment: dict[str, str]) -> None:
    environment |= {"LC_ALL": "POSIX", "PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0"}
    name = "Школа « Été » 学校"

    made = finished({**environment, "LC_ALL": "C.UTF-8"}, "school", "create", name, "--json")
    listed = finished(environment, "school", "list")
    as_json = finished(environment, "school", "list", "--json")

    assert made.returncode == listed.returncode == 0
    assert json.loads(as_json.stdout)[0]["name"] == name
    assert as_json.stdout.isascii()


def by_shell(
    environment: dict[str, str], line: str, folder: Path | None = None
) -> subprocess.CompletedProcess[str]:
    """Run the console script as a line of bash does."""
    command = ["bash", "-c", f"{PROGRAM} {line}"]
    return subprocess.run(
        command, env=environment, cwd=folder, capture_output=True, text=True, check=False
    )


def test_a_reader_that_leaves_early_gets_no_traceback(environment: dict[str, str]) -> None:
    assert by_shell(environment, "check --settings | true").stderr == ""


def test_with_a_closed_standard_output_nothing_is_done(environment: dict[str, str]) -> None:
    line = refused(by_shell(environment, "school create Tilleuls --json >&-"))
    assert line == "idp: standard output is closed: nothing was done"
    assert output_of(environment, "school", "list") == "(none)\n"


def test_a_closed_standard_input_holds_nothing(environment: dict[str, str]) -> None:
    names = "claire --given-name Claire --family-name Dubois"
    line = refused(by_shell(environment, f"user create {names} --password-stdin <&-"))
    assert line == "idp: there is no password on standard input"


def test_with_a_closed_standard_error_work_goes_on(
    environment: dict[str, str], tmp_path: Path
) -> None:
    output_of(environment, "school", "create", "Tilleuls")
    person = "{0}_id,{0}_first_name,{0}_last_name"
    header = ",".join(person.format(each) for each in ("pupil", "guardian"))
    (tmp_path / "list.csv").write_text(f"{header}\n1,Emma,Dubois,g1,Claire,Dubois\n")
    done = by_shell(environment, "roster check list.csv --school Tilleuls 2>&-", tmp_path)
    assert done.returncode == 0
    assert "guardianships new  1" in done.stdout


def test_what_should_not_happen_is_still_one_line(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken() -> None:
        raise ZeroDivisionError("with password=hunter2-hunter2")

    monkeypatch.setattr("idp.people.schools.list_schools", broken)

    line = refused(run("school", "list"))

    assert "should not happen: ZeroDivisionError" in line
    assert "hunter2" not in line


def test_an_interrupted_command_says_so(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted() -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("idp.people.schools.list_schools", interrupted)

    result = run("school", "list")

    assert result.exit_code == 130
    assert "Traceback" not in result.output


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_the_document_tells_every_command_and_each_of_its_options(command: tuple[str, ...]) -> None:
    document = Path("docs/command-line.md").read_text()
    _, _, rest = document.partition(f"\n### `idp {' '.join(command)}")
    section = rest.partition("\n### ")[0]
    help_text = CliRunner().invoke(cli, [*command, "--help"]).stdout
    options = set(re.findall(r"^  (--[a-z-]+)", help_text, re.MULTILINE)) - {"--help"}
    assert section, "no section"
    assert {each for each in options if each not in section} == set()
    rows = [line for line in section.splitlines() if line.startswith("| `--")]
    for name, values in choices(command):
        (row,) = [row for row in rows if re.match(rf"\| `{name}[ `]", row)]
        assert values in row.replace("\\|", "|")


def choices(command: tuple[str, ...]) -> Iterator[tuple[str, str]]:
    """Each option of a command that takes one of a few values, and what its help says of them."""
    context, found = click.Context(cli), cast(Any, cli)
    for name in command:
        found = found.get_command(context, name)
        context = click.Context(found, parent=context)
    for each in found.params:
        if isinstance(each, click.Option) and isinstance(each.type, click.Choice):
            yield each.opts[0], each.make_metavar(context)


def test_a_list_of_commands_cuts_no_sentence() -> None:
    for noun in [*NOUNS, "user role", "user factors"]:
        help_text = CliRunner().invoke(cli, [*noun.split(), "--help"]).stdout
        assert "..." not in help_text.partition("Commands:")[2], noun


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_is_printed_for(shell: str) -> None:
    result = CliRunner().invoke(cli, ["completion", shell])
    assert result.exit_code == 0
    assert "_IDP_COMPLETE" in result.stdout


def test_the_manual_page_tells_every_command() -> None:
    page = CliRunner().invoke(cli, ["man"]).stdout
    for command in COMMANDS:
        assert f".SS idp {' '.join(command)}".replace("-", "\\-") in page, command


def test_what_few_requests_need_is_loaded_when_they_come(environment: dict[str, str]) -> None:
    """A third of the time that every command takes to start, and 65 MB of each worker: what draws
    letters, migrates, weighs new passwords, reads passkeys, asks other servers.
    """
    look = "import sys, idp, idp.lifecycle.mails.previews; idp.create_app(); print(*sys.modules)"
    memory = "; print([each for each in open('/proc/self/status') if 'VmRSS' in each][0])"
    result = subprocess.run(
        [sys.executable, "-c", look + memory],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=True,
    )

    modules, resident = result.stdout.splitlines()[:2]
    loaded = {name.partition(".")[0] for name in modules.split()}
    assert "flask" in loaded
    drawing, weighing = {"typst", "fontTools", "PIL", "segno"}, {"zxcvbn", "rapidfuzz"}
    asking = {"requests", "urllib3", "webauthn", "OpenSSL"}
    migrating = {"openpyxl", "alembic", "mako"}
    assert loaded & (drawing | weighing | asking | migrating) == set()
    assert int(resident.split()[1]) < 108 * 1024  # kB


def test_garbage_is_looked_for_again_once_everything_is_loaded(
    environment: dict[str, str],
) -> None:
    assert invoked(environment, "school", "list").exit_code == 0
    assert gc.isenabled()
