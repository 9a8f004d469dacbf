"""Groups of commands about a list."""

from __future__ import annotations

import click

from chat4all.cli.command_line import Commands


class ListByDefault(Commands):
    """Without a command, ``list`` is meant: `chat4all conversations --json`."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        if not args or (args[0].startswith("-") and args[0] not in ctx.help_option_names):
            args = ["list", *args]
        return super().parse_args(ctx, args)
