"""``idp completion``: what lets a shell complete nouns, verbs and options."""

import click
from click.shell_completion import get_completion_class

from idp.cli.errors import BadInput
from idp.cli.group import Command

SHELLS = ("bash", "zsh", "fish")


@click.command("completion", cls=Command)
@click.argument("shell", type=click.Choice(SHELLS))
@click.pass_context
def command(context: click.Context, shell: str) -> None:
    """Print what lets a shell complete the commands.

    Examples:
      idp completion bash > ~/.local/share/bash-completion/completions/idp
      idp completion zsh > ~/.zfunc/_idp
      idp completion fish > ~/.config/fish/completions/idp.fish
    """
    completion_class = get_completion_class(shell)
    if completion_class is None:
        raise BadInput(f"there is no completion for {shell}")
    script = completion_class(context.find_root().command, {}, "idp", "_IDP_COMPLETE")
    click.echo(script.source())
