"""The commands of the server. Each command imports its modules when it runs, to keep ``--help`` quick."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import click

from chat4all.cli.command_line import Commands, Seconds

if TYPE_CHECKING:
    from app.settings import Settings

WAIT_SECONDS = 60.0
API_PROCESSES = 2  # while one of them is started again, the other one answers
_PROCESSES = "Of the API; they share the port."
_HIDDEN = "***"


@contextmanager
def sentences() -> Iterator[None]:
    """Show expected errors as one sentence with exit code 1. Any other error keeps its traceback."""
    from app.settings import InvalidSetting
    from chat4all.cli.errors import CliError
    from devstack.errors import StackError
    from domain.errors import Chat4AllError

    try:
        yield
    except (InvalidSetting, CliError, StackError, Chat4AllError) as error:
        raise click.ClickException(str(error)) from error


def read_settings() -> Settings:
    """Return the settings of the environment and of ``.env``."""
    from app.settings import Settings

    with sentences():
        return Settings.from_environ()


def start_logging(settings: Settings, role: str) -> None:
    """Log to stderr as every process of the system does."""
    import logging.config
    from dataclasses import replace

    from app.logs import logging_config

    logging.config.dictConfig(logging_config(replace(settings, role=role)))


def _counts(ctx: click.Context, param: click.Parameter, values: tuple[str, ...]) -> dict[str, int]:
    from app.roles import ROLES

    counts = {}
    for value in values:
        role, _, number = value.partition("=")
        if role not in ROLES or not number.isdecimal():
            raise click.BadParameter(f"{value!r}: expected ROLE=COUNT with one of {', '.join(ROLES)}")
        counts[role] = int(number)
    return counts


def count_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the option ``-n whatsapp=2`` of the commands for workers."""
    words = "How many workers of a role, such as -n whatsapp=2. May be given several times."
    return click.option("-n", "--count", "counts", multiple=True, metavar="ROLE=COUNT", callback=_counts, help=words)(
        command
    )


def settings_of_servers() -> Settings:
    """Return the settings once the accounts are checked: a supervisor restarts a process whatever it ended for."""
    from app.accounts import load_accounts

    settings = read_settings()
    with sentences():
        load_accounts(settings)
    return settings


@click.command()
@click.option("--json", "as_json", is_flag=True, help="JSON, for programs.")
@click.option("--describe", is_flag=True, help="Say of each what it is for, its unit and its default.")
def config(as_json: bool, describe: bool) -> None:
    """Print the settings in force, and the accounts; secrets are hidden.

    With --describe as a file .env, which may be kept and changed.
    """
    from dataclasses import fields

    from app.accounts import load_accounts, shown

    settings = read_settings()
    if describe:
        _describe(settings, as_json)
        return
    with sentences():
        accounts = [shown(account) for of_channel in load_accounts(settings).values() for account in of_channel]
    secret = {f.name for f in fields(settings) if not f.repr}
    if as_json:
        values = {f.name: getattr(settings, f.name) for f in fields(settings)}
        document = {k: _HIDDEN if k in secret and v else v for k, v in values.items()}
        click.echo(json.dumps({**document, "channel_accounts": accounts}, indent=2))
        return
    for name, text in settings.to_environ().items():
        is_secret = name.removeprefix("CHAT4ALL_").lower() in secret
        click.echo(f"{name}={_HIDDEN if is_secret and text else text}")
    for account in accounts:
        click.echo("# account " + " ".join(f"{key}={value}" for key, value in account.items()))


def _describe(settings: Settings, as_json: bool) -> None:
    from cli.settings_table import described, env_file

    in_force = settings.to_environ()
    if not as_json:
        click.echo("\n".join(env_file(in_force)))
        return
    rows = []
    for one in described():
        value = in_force.get(one.variable, os.environ.get(one.variable, one.default))
        rows.append(
            {
                "variable": one.variable,
                "section": one.section,
                "kind": one.kind,
                "default": one.default,
                "value": _HIDDEN if one.is_secret and value else value,
                "about": one.about,
            }
        )
    click.echo(json.dumps(rows, indent=2, ensure_ascii=False))


@click.command()
@click.option(
    "--wait",
    default=WAIT_SECONDS,
    show_default=True,
    type=Seconds(),
    help="How long to wait for Kafka and for Cassandra.",
)
@click.option(
    "--lost-tail", is_flag=True, help="Kafka has lost its last records: let the histories go on from its end."
)
def migrate(wait: float, lost_tail: bool) -> None:
    """Create or update the topics in Kafka and the tables in Cassandra. Safe to run again."""
    import asyncio
    import logging

    from cli.another_log import refuse_another_log
    from cli.migration import migrate_schema, migrate_topics, schema_sentence, topics_sentence

    settings = read_settings()
    logging.disable()  # what is wrong is told once, below
    try:
        with sentences():
            click.echo(topics_sentence(asyncio.run(migrate_topics(settings, wait))))
            click.echo(schema_sentence(asyncio.run(migrate_schema(settings, wait)), settings.keyspace))
            for sentence in asyncio.run(refuse_another_log(settings, wait, is_tail_lost=lost_tail)):
                click.echo(f"WARNING: {sentence}. It stays; new messages may lie before it.")
    finally:
        logging.disable(logging.NOTSET)


@click.command()
@click.option("--processes", default=API_PROCESSES, show_default=True, type=click.IntRange(1, 64), help=_PROCESSES)
def api(processes: int) -> None:
    """Serve the HTTP API until SIGTERM or Ctrl-C."""
    import asyncio

    from cli.supervisor import supervise
    from cli.workers import api_specs, check_ports

    settings = settings_of_servers()
    specs = api_specs(settings, processes)
    with sentences():
        check_ports(specs)
    if processes == 1:
        from web import server

        server.main(settings)
        return
    start_logging(settings, "api")
    asyncio.run(supervise(specs))


@click.command()
@click.option("--role", "roles", multiple=True, metavar="ROLE", help="Only this role; may be given several times.")
@count_option
def worker(roles: tuple[str, ...], counts: dict[str, int]) -> None:
    """Run a process for each role: restart what ends, stop in order on SIGTERM or Ctrl-C.

    A worker keeps its name (CHAT4ALL_NODE, role and number) over restarts, and with it its partitions.
    """
    import asyncio

    from app.roles import ROLES
    from cli.groups import Takeovers, dismiss_left_over
    from cli.supervisor import supervise
    from cli.workers import check_ports, claimed, counts_of, worker_specs

    if unknown := sorted(set(roles) - set(ROLES)):
        raise click.BadParameter(f"{', '.join(unknown)}: expected {', '.join(ROLES)}", param_hint="--role")
    settings = settings_of_servers()
    start_logging(settings, "worker")
    with sentences():
        specs = worker_specs(settings, counts_of(roles, counts, settings.partitions))
        with claimed(specs, settings):
            check_ports(specs)
            asyncio.run(dismiss_left_over(settings, specs))
            asyncio.run(supervise(specs, ended=Takeovers(settings).after))


@click.command()
@click.option("--processes", default=API_PROCESSES, show_default=True, type=click.IntRange(1, 64), help=_PROCESSES)
@click.option(
    "--simulator/--no-simulator",
    envvar="CHAT4ALL_SIMULATOR",
    help="With a simulator of WhatsApp, Instagram and Telegram; all accounts send to it if there is no accounts.toml.",
)
@click.option("--simulator-port", default=8090, envvar="CHAT4ALL_SIMULATOR_PORT", type=click.IntRange(1, 65_535))
@count_option
def run(processes: int, counts: dict[str, int], simulator: bool, simulator_port: int) -> None:
    """Start everything on this machine: Kafka, Cassandra, the API and the workers; Ctrl-C stops it.

    Kafka is started here unless CHAT4ALL_KAFKA names another one; likewise Cassandra and CHAT4ALL_CASSANDRA.
    """
    from cli.run import run_everything

    settings = settings_of_servers()
    with sentences():
        sys.exit(run_everything(settings, processes, counts, simulator_port if simulator else None))


def __getattr__(name: str) -> click.Command:
    """Return devstack's ``stack``, with the suggestions of ``Commands``."""
    if name != "stack":
        raise AttributeError(name)
    from devstack.commands import stack

    return Commands(stack.name, commands=stack.commands, help=stack.help)
