"""How `idp` is put together: nouns found when asked for, help with examples, errors in one line."""

import importlib
import re
import sys
from collections.abc import Callable, Mapping, Sequence
from functools import wraps
from importlib.metadata import version
from inspect import cleandoc
from typing import Any

import click
from flask.cli import AppGroup

from idp.cli import application, errors

LONGEST_ARGUMENT = 10_000
_EXAMPLES = re.compile(r"^[ ]*(?=(?:Examples?|A first start):$)", re.MULTILINE)


class Command(click.Command):
    """A command whose docstring ends with examples, which the help shows line by line."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.help = as_written(self.help)

    def get_short_help_str(self, limit: int = 45) -> str:
        """The first sentence, whole: a list of commands has room for more than one line."""
        return first_sentence(self.help)


class Noun(AppGroup):
    """The commands about one thing, each in an application context."""

    def get_short_help_str(self, limit: int = 45) -> str:
        """The first sentence, whole."""
        return first_sentence(self.help)

    def command(  # type: ignore[override]
        self, *args: Any, **kwargs: Any
    ) -> Callable[[Callable[..., Any]], click.Command]:
        made = super().command(*args, **{"cls": Command, **kwargs})
        return lambda function: made(_schools_by_name(function))


class RootGroup(AppGroup):
    """``nouns``: command name → its one line of help; ``idp.cli.<name>`` holds ``command``."""

    def __init__(self, *args: Any, nouns: Mapping[str, str], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.nouns = nouns
        self.help = as_written(self.help)

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(self.nouns)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in self.nouns:
            return None
        with application.nothing_thrown_away():
            command: click.Command = importlib.import_module(f"idp.cli.{cmd_name}").command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(self.nouns.items()))

    def main(self, args: Sequence[str] | None = None, *rest: Any, **extra: Any) -> Any:
        """Run, and exit: 0 done, 1 found wanting, 2 bad input or state, 130 interrupted."""
        arguments = list(sys.argv[1:] if args is None else args)
        extra["standalone_mode"] = False
        try:
            _check_output()
            _check_arguments(arguments)
            outcome = super().main(arguments, *rest, **extra)
        except click.exceptions.NoArgsIsHelpError as error:
            click.echo(error.format_message(), err=True)
            sys.exit(2)
        except (click.Abort, KeyboardInterrupt):
            _print_error("stopped")
            sys.exit(130)
        except Exception as error:  # noqa: BLE001 – nobody at a terminal wants a traceback
            _print_error(errors.sentence(error))
            sys.exit(2)
        sys.exit(outcome if isinstance(outcome, int) else 0)


def as_written(text: str | None) -> str | None:
    """The help with its examples marked, so that they are not filled into one paragraph."""
    return text and _EXAMPLES.sub("\b\n", cleandoc(text))


def first_sentence(text: str | None) -> str:
    """The first paragraph of a help, on one line, without its full stop."""
    paragraph = " ".join((text or "").split("\n\n")[0].split())
    return paragraph.removesuffix(".")


def print_version(ctx: click.Context, _option: click.Parameter, wanted: bool) -> None:
    """Print the version of the installed distribution and stop."""
    if wanted:
        click.echo(f"idp {version('school-idp')}")
        ctx.exit()


def _schools_by_name(function: Callable[..., Any]) -> Callable[..., Any]:
    """A command whose school may be said by its name: it is called with the id."""

    @wraps(function)
    def called(*args: Any, **kwargs: Any) -> Any:
        from idp.cli import named

        if kwargs.get("school_id"):
            kwargs["school_id"] = named.school(kwargs["school_id"])
        if kwargs.get("school_ids"):
            kwargs["school_ids"] = tuple(named.school(each) for each in kwargs["school_ids"])
        return function(*args, **kwargs)

    return called


def _print_error(sentence: str) -> None:
    click.echo(f"idp: {sentence}", err=True)


def _check_output() -> None:
    # Python has None for what was closed before it began
    if sys.stdout is None:
        raise errors.BadInput("standard output is closed: nothing was done")


def _check_arguments(arguments: Sequence[str]) -> None:
    for position, argument in enumerate(arguments, 1):
        if len(argument) > LONGEST_ARGUMENT:
            raise errors.BadInput(
                f"argument {position} is longer than {LONGEST_ARGUMENT} characters"
            )
        if "\0" in argument:
            raise errors.BadInput(f"argument {position} holds a NUL byte")
        try:
            argument.encode()
        except UnicodeEncodeError as error:
            raise errors.BadInput(f"argument {position} is not UTF-8 text") from error
