"""`chat4all replay reset`: a stopped group to another place, once it is said what it would read again."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import click

from cli.commands import read_settings, sentences

if TYPE_CHECKING:
    from app.replay.reset import Plan
    from app.settings import Settings

_TIME = "Such as 10m or 2h (ago), 2026-11-28T14:03 (UTC), or epoch milliseconds."


@click.command()
@click.argument("role")
@click.option("--to-time", metavar="TIME", help=f"Begin with the first record from this time on. {_TIME}")
@click.option("--to-offset", type=click.IntRange(0), help="Begin with this offset of each partition.")
@click.option("--topic", "topics", multiple=True, metavar="TOPIC", help="Only this topic; may be given several times.")
@click.option("--may-skip", is_flag=True, help="Also move forward: what is skipped is never processed.")
@click.option("--yes", is_flag=True, help="Do it. Without it, only the count is shown.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
def reset(
    role: str,
    to_time: str | None,
    to_offset: int | None,
    topics: tuple[str, ...],
    may_skip: bool,
    yes: bool,
    as_json: bool,
) -> None:
    """Let the group of ROLE read its topics again from a time or an offset, after its workers are stopped.

    A channel sends nothing again: its outcomes are on record, and a message older than that memory is refused.
    """
    import asyncio

    if (to_time is None) == (to_offset is None):
        raise click.UsageError("give --to-time or --to-offset")
    with sentences():
        asyncio.run(_reset(read_settings(), role, to_time, to_offset, topics, may_skip, yes, as_json))


async def _reset(
    settings: Settings,
    role: str,
    to_time: str | None,
    to_offset: int | None,
    topics: tuple[str, ...],
    may_skip: bool,
    is_meant: bool,
    as_json: bool,
) -> None:
    from app.clock import now_ms
    from app.kafka.topics import group_of
    from app.replay.moments import moment_ms
    from app.replay.reset import open_reset
    from app.roles import ROLES
    from app.settings import InvalidSetting
    from domain.errors import InvalidInput

    if role not in ROLES:
        raise InvalidSetting(f"{role} is no role; expected one of {', '.join(ROLES)}")
    to_ms = None if to_time is None else moment_ms(to_time, now_ms())
    oldest_ms = now_ms() - int(settings.state_retention_hours * 3_600_000)
    async with open_reset(settings, group_of(role, settings.topic_prefix)) as group:
        await group.require_stopped()
        plan = await group.plan(topics, to_ms=to_ms, to_offset=to_offset, oldest_ms=oldest_ms)
        _show(plan, settings, as_json)
        if plan.skipped and not may_skip:
            raise InvalidInput(f"{plan.skipped:,} records would never be processed: --may-skip allows it", "to")
        if is_meant:
            await group.apply(plan)
        click.echo("The group was set." if is_meant else "Nothing was changed; --yes does it.", err=True)


def _show(plan: Plan, settings: Settings, as_json: bool) -> None:
    if as_json:
        moves = [
            {"topic": m.topic, "partition": m.partition, "committed": m.committed, "target": m.target}
            for m in plan.moves
        ]
        types = [{"topic": topic, "type": name, "count": count} for (topic, name), count in plan.types.items()]
        whole = {"group": plan.group, "moves": moves, "repeated": plan.repeated, "skipped": plan.skipped}
        click.echo(json.dumps({**whole, "types": types, "older_than_memory": plan.old}))
        return
    click.echo(f"{plan.group} would read {plan.repeated:,} records again and skip {plan.skipped:,}.")
    for move in plan.moves:
        if move.committed != move.target:
            click.echo(f"  {move.topic}[{move.partition}]  {move.committed:,} → {move.target:,}")
    for (topic, name), count in sorted(plan.types.items()):
        click.echo(f"  {count:,} {name} of {topic}")
    if plan.old:
        hours = settings.state_retention_hours
        click.echo(
            f"  {plan.old:,} of them are older than the memory of attempts ({hours:g} h): the engine refuses these"
        )
