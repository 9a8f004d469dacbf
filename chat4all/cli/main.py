"""The command ``chat4all``. Each command imports its modules when it runs, to keep ``--help`` quick."""

from __future__ import annotations

import os

import click

from chat4all.cli import commands, server_commands
from chat4all.cli.command_line import RootCommands


class _Commands(RootCommands):
    """Loads the commands of the API (``chat4all/cli/commands``) and of the server when they are asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted([*super().list_commands(ctx), *commands.NAMES, *server_commands.names()])

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        found = super().get_command(ctx, cmd_name) or commands.command_named(cmd_name)
        return found or server_commands.command_named(cmd_name)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if not ctx.resilient_parsing and (hint := server_commands.hint(args[0])):
            ctx.fail(f"No such command {args[0]!r}.{hint}")
        return super().resolve_command(ctx, args)


def _tell_version(ctx: click.Context, param: click.Parameter, value: bool) -> None:
    if value and not ctx.resilient_parsing:
        _print_version()
        ctx.exit()


def _print_version() -> None:
    from importlib.metadata import version

    click.echo(f"chat4all {version('chat4all')}")


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "-V",
    "--version",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=_tell_version,
    help="Print the version.",
)
@click.pass_context
def main(ctx: click.Context) -> None:
    """Accept a message once, deliver it on WhatsApp, Instagram or Telegram, and tell the truth about it.

    Settings are CHAT4ALL_* variables, also in a file .env; `chat4all config` shows them. CHAT4ALL_URL says where the
    API is. Colours are for terminals, unless NO_COLOR is set.
    """
    if os.environ.get("NO_COLOR"):
        ctx.color = False


@main.command()
def version() -> None:
    """Print the version."""
    _print_version()
