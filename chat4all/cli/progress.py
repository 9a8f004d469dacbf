"""How far an upload or a download is: a bar on a terminal, nothing elsewhere."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from chat4all import OnProgress, Step
from chat4all.cli.output import Output, printable


class Progress:
    """``at_percent``: share of the transferred bytes."""

    def __init__(self) -> None:
        self.at_percent = 0

    def note(self, step: Step, done_bytes: int, total_bytes: int) -> None:
        """It is so far."""
        if step is not Step.CHECKING:
            self.at_percent = 100 * done_bytes // max(total_bytes, 1)


@contextmanager
def shown(out: Output, name: str, progress: Progress) -> Iterator[OnProgress]:
    """Show progress on stderr. Stdout has only the command's output (or the bytes of a file)."""
    if out.as_json or not sys.stderr.isatty():
        yield progress.note
        return
    from rich import progress as bars
    from rich.console import Console
    from rich.markup import escape

    console = Console(stderr=True, no_color=bool(os.environ.get("NO_COLOR")), highlight=False)
    columns = (
        bars.TextColumn("{task.description}"),
        bars.BarColumn(),
        bars.TaskProgressColumn(),
        bars.DownloadColumn(binary_units=True),
        bars.TransferSpeedColumn(),
        bars.TimeRemainingColumn(),
    )
    with bars.Progress(*columns, console=console, transient=True) as display:
        tasks: dict[Step, bars.TaskID] = {}

        def show(step: Step, done_bytes: int, total_bytes: int) -> None:
            progress.note(step, done_bytes, total_bytes)
            if step not in tasks:
                for earlier in tasks.values():
                    display.remove_task(earlier)
                tasks.clear()
                label = f"{step} {printable(name)}"
                tasks[step] = display.add_task(escape(label), total=total_bytes)
            display.update(tasks[step], completed=done_bytes, total=total_bytes)

        yield show
