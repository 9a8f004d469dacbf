"""`chat4all completion`."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class


@click.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@click.pass_context
def completion(ctx: click.Context, shell: str) -> None:
    """Print the script that lets a shell complete commands and options.

    \b
    bash:  eval "$(chat4all completion bash)"
    zsh:   eval "$(chat4all completion zsh)"
    fish:  chat4all completion fish | source
    """
    kind = get_completion_class(shell)
    assert kind is not None
    click.echo(kind(ctx.find_root().command, {}, "chat4all", "_CHAT4ALL_COMPLETE").source())
