"""``idp man``: the manual page, made from the commands themselves."""

from collections.abc import Iterator

import click

from idp.cli.group import Command


@click.command("man", cls=Command)
@click.pass_context
def command(context: click.Context) -> None:
    """Print the manual page.

    Examples:
      idp man | man -l -
      idp man > /usr/local/share/man/man1/idp.1
    """
    root = context.find_root()
    click.echo("\n".join(_page(root.command, root)))


def _page(root: click.Command, context: click.Context) -> Iterator[str]:
    yield '.TH IDP 1 "" "school-idp" "School identity provider"'
    yield ".SH NAME"
    yield "idp \\- the identity provider that schools trust with families"
    yield ".SH SYNOPSIS"
    yield "idp [options] noun [verb] [options]"
    yield ".SH OPTIONS"
    yield from _options(root, context)
    yield ".SH COMMANDS"
    yield from _commands(root, context, "idp")


def _commands(group: click.Command, context: click.Context, path: str) -> Iterator[str]:
    assert isinstance(group, click.Group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        if command is None:
            continue
        if isinstance(command, click.Group):
            yield from _commands(command, context, f"{path} {name}")
            continue
        arguments = " ".join(
            each.make_metavar(context)
            for each in command.params
            if isinstance(each, click.Argument)
        )
        yield f".SS {_escaped(f'{path} {name} {arguments}'.rstrip())}"
        yield from _paragraphs(command.help or "")
        yield from _options(command, context)


def _options(command: click.Command, context: click.Context) -> Iterator[str]:
    for option in command.params:
        record = option.get_help_record(context)
        if record is not None:
            yield ".TP"
            yield f".B {_escaped(record[0])}"
            yield _escaped(record[1] or "")


def _paragraphs(text: str) -> Iterator[str]:
    for paragraph in text.split("\n\n"):
        as_it_is = paragraph.startswith("\b")
        yield ".nf" if as_it_is else ".PP"
        yield from (_escaped(line) for line in paragraph.removeprefix("\b\n").splitlines())
        if as_it_is:
            yield ".fi"


def _escaped(text: str) -> str:
    """Text in which groff sees no request and no escape."""
    safe = text.replace("\\", "\\e").replace("-", "\\-")
    return f"\\&{safe}" if safe.startswith((".", "'")) else safe
