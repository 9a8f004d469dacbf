"""`chat4all doctor`: looks at everything from outside and names the remedy for each fault."""

from __future__ import annotations

import click

from cli.commands import read_settings


@click.command()
@click.argument("url", default="")
@click.option("--send", "words", multiple=True, metavar="CHANNEL/ACCOUNT=ADDRESS", help="Send a message there; repeat.")
@click.option("--json", "as_json", is_flag=True, help="JSON, for programs.")
def doctor(url: str, words: tuple[str, ...], as_json: bool) -> None:
    """Look at Kafka, its topics, the workers, Cassandra, the API at URL, clocks and accounts.

    Providers are asked about each account, its credentials and its webhooks. Says what to do about each fault, and ends
    with 1 if there is one. Nothing is changed, and nothing is sent but by --send. URL: by default that of the API on
    this machine.
    """
    import asyncio
    import json
    import logging
    from dataclasses import asdict

    from app.kafka.topics import all_topics
    from chat4all.cli.api_address import local_url
    from cli.doctor_accounts import sends_of
    from cli.doctor_findings import findings, lines_of
    from cli.doctor_look import look

    settings = read_settings()
    try:
        sends = sends_of(words)
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint="--send") from None
    specs = all_topics(settings)
    logging.disable()  # what does not answer is told once, below
    try:
        address = (url or local_url(settings.host, settings.port)).rstrip("/")
        seen = asyncio.run(look(settings, specs, address, sends))
    finally:
        logging.disable(logging.NOTSET)
    found = findings(settings, specs, seen)
    if as_json:
        click.echo(json.dumps([asdict(each) for each in found], indent=2, ensure_ascii=False))
    else:
        for line in lines_of(found):
            click.echo(line)
        faults = sum(not each.is_warning for each in found)
        click.echo(f"{faults} faults, {len(found) - faults} warnings." if found else "Everything is well.")
    if any(not each.is_warning for each in found):
        raise SystemExit(1)
