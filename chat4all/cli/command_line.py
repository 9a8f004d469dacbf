"""Shared by all commands: suggestions, option types, and errors as sentences."""

from __future__ import annotations

import errno
import math
import os
import re
import sys
from collections.abc import Sequence
from contextlib import suppress
from difflib import get_close_matches
from typing import Any

import click

from chat4all.cli.output import Exit, Output

_MOST_SUGGESTIONS = 3


class Commands(click.Group):
    """A group with suggestions for mistyped commands."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        name = args[0]
        if not name.startswith("-") and not ctx.resilient_parsing and self.get_command(ctx, name) is None:
            ctx.fail(f"No such command {name!r}.{suggestion(name, self.list_commands(ctx))}")
        return super().resolve_command(ctx, args)


class RootCommands(Commands):
    """The outermost group: an error of a command becomes a sentence, or a JSON line for ``--json``."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        ctx.meta[__name__] = "--json" in args
        return super().parse_args(ctx, args)

    def invoke(self, ctx: click.Context) -> Any:
        out = Output(as_json=bool(ctx.meta.get(__name__)))
        try:
            return super().invoke(ctx)
        except click.ClickException as error:
            if not out.as_json or isinstance(error, click.exceptions.NoArgsIsHelpError):
                raise
            ctx.exit(out.fail(error.format_message(), error.exit_code))
        except (KeyboardInterrupt, click.Abort):  # Ctrl-C, or the end of the input at a prompt
            click.echo(err=True)
            ctx.exit(Exit.INTERRUPTED)
        except OSError as error:
            if error.errno == errno.EPIPE:  # nobody reads the output any more; click ends quietly, with 1
                raise
            ctx.exit(tell_fault(out, error))


def tell_fault(out: Output, error: OSError) -> Exit:
    """Report an unreadable or unwritable local file or output, and return the exit code."""
    reason = error.strerror or str(error)
    if error.filename is not None:
        return out.fail(f"{os.fsdecode(error.filename)}: {reason}", Exit.FAILED)
    with suppress(OSError):  # what is still in the buffer must not be complained about when Python ends
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())
        os.close(nowhere)
    return Output(as_json=False).fail(f"the output cannot be written: {reason}", Exit.FAILED)


def suggestion(name: str, known: Sequence[str]) -> str:
    """Return `` Did you mean 'send'?``, or nothing."""
    close = get_close_matches(name.lower(), known, _MOST_SUGGESTIONS)
    return f" Did you mean {' or '.join(map(repr, close))}?" if close else ""


_UNITS = {"s": 1, "m": 60, "h": 3_600, "d": 86_400}
_PART = re.compile(r"([0-9]{1,9}(?:\.[0-9]{1,9})?)([smhd])")
_SPAN = re.compile(rf"(?:{_PART.pattern})+")
_LONGEST_SPAN = 7 * 86_400


class Span(click.ParamType):
    """A span of time in words, such as 90s, 30m, 2h, 1d, or 1h30m; in seconds."""

    name = "span"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        if not _SPAN.fullmatch(value):
            self.fail(f"{value!r} is no span of time: expected something like 90s, 30m, 2h or 1d", param, ctx)
        seconds = sum(float(number) * _UNITS[unit] for number, unit in _PART.findall(value))
        if not 0 < seconds <= _LONGEST_SPAN:
            self.fail(f"{value} is out of range: expected more than 0 and at most 7d", param, ctx)
        return seconds


class Seconds(click.ParamType):
    """A duration: a finite number of seconds, at least 0; with ``above_zero`` more than 0."""

    name = "seconds"

    def __init__(self, *, above_zero: bool = False) -> None:
        self._above_zero = above_zero

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        try:
            seconds = float(value)
        except ValueError:
            self.fail(f"{value!r} is not a number of seconds", param, ctx)
        if not math.isfinite(seconds) or seconds < 0 or (self._above_zero and seconds == 0):
            least = "above 0" if self._above_zero else "of at least 0"
            self.fail(f"{value} is no span of time: expected a number of seconds {least}", param, ctx)
        return seconds
