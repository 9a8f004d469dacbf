"""`chat4all phones`: the people of the simulator, from the command line."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from http.client import HTTPException
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.parse import quote
from urllib.request import ProxyHandler, Request, build_opener

import click

from chat4all.cli.command_line import Commands
from chat4all.cli.output import Output
from chat4all.cli.safe_text import printable
from cli.simulator import DEFAULT_PORT

SECONDS = 10.0
_ARROWS = {"me": "→", "account": "←"}
_opener = build_opener(ProxyHandler({}))  # to this machine, whatever proxy is set


@click.group(cls=Commands, invoke_without_command=True)
@click.option(
    "--url",
    default=lambda: f"http://127.0.0.1:{os.environ.get('CHAT4ALL_SIMULATOR_PORT', DEFAULT_PORT)}",
    help="The simulator; by default on this machine, on CHAT4ALL_SIMULATOR_PORT.",
)
@click.option("--json", "as_json", is_flag=True, help="JSON, for programs.")
@click.pass_context
def phones(ctx: click.Context, url: str, as_json: bool) -> None:
    """See the simulator's people and act as one of them; a PHONE is a number, a @handle or an id.

    Without a command: list them.
    """
    ctx.obj = _Client(url.rstrip("/"), Output(as_json))
    if ctx.invoked_subcommand is None:
        ctx.invoke(index)


class _Client:
    """Calls the simulator, and shows its answers."""

    def __init__(self, url: str, output: Output) -> None:
        self._url = url
        self.output = output

    def ask(self, method: str, path: str, **document: object) -> dict[str, Any]:
        """Return the answer. Raises ``click.ClickException`` with a sentence for a refusal."""
        body = json.dumps(document).encode() if method != "GET" else None
        request = Request(self._url + path, body, {"Content-Type": "application/json"}, method=method)
        try:
            with _opener.open(request, timeout=SECONDS) as answer:
                found: dict[str, Any] = json.load(answer)
                return found
        except HTTPError as refusal:
            raise click.ClickException(_sentence(refusal.read())) from None
        except (URLError, OSError, HTTPException, ValueError) as error:
            raise click.ClickException(
                f"no simulator answers on {self._url}; start `chat4all simulator`: {error}"
            ) from None

    def show_messages(self, messages: Sequence[Mapping[str, Any]]) -> None:
        """Print messages as a phone shows them."""
        rows = [
            (
                _ARROWS[message["from"]],
                f"{message['channel']}/{message['account']}",
                message["kind"],
                printable(message["text"]) + _marks(message),
            )
            for message in messages
        ]
        self.output.table("messages", messages, rows)


def _sentence(raw: bytes) -> str:
    try:
        return str(json.loads(raw)["error"])
    except (ValueError, KeyError, TypeError):
        return f"the simulator refused: {raw[:200]!r}"


def _marks(message: Mapping[str, Any]) -> str:
    marks = [f"[{button['title']}]" for button in message["buttons"]] + list(message["reactions"].values())
    if message["copy"] > 1:
        marks.append(f"(copy {message['copy']})")
    if message["is_read"]:
        marks.append("✓✓")
    return "".join(f"  {printable(mark)}" for mark in marks)


@phones.command("list")
@click.option("--limit", default=100, show_default=True, type=click.IntRange(1, 1_000), help="Show so many.")
@click.pass_obj
def index(client: _Client, limit: int = 100) -> None:
    """List the phones, oldest first."""
    found = client.ask("GET", f"/phones?limit={limit}")["phones"]
    rows = [
        (
            each["number"] or "-",
            f"@{each['handle']}" if each["handle"] else "-",
            printable(each["name"]),
            each["reads"],
            f"{each['messages']} messages",
            "" if each["online"] else "off",
        )
        for each in found
    ]
    client.output.table("phones", found, rows)


@phones.command()
@click.argument("phone")
@click.option("--last", default=20, show_default=True, type=click.IntRange(1, 1_000), help="Show so many.")
@click.pass_obj
def show(client: _Client, phone: str, last: int) -> None:
    """Show what PHONE sees, in order."""
    count = client.ask("GET", _path(phone))["messages"]
    client.show_messages(client.ask("GET", f"{_path(phone)}/messages?after={max(0, count - last)}")["messages"])


@phones.command()
@click.option("--number", default="", help="Its telephone number.")
@click.option("--handle", default="", help="Its handle on Instagram and Telegram.")
@click.option("--name", default="", help="The person's name.")
@click.option("--answers", default="", help="Text of the answer to each message; {text} is the message's.")
@click.option("--reads", default="soon", show_default=True, help="at-once, soon, late or never.")
@click.pass_obj
def new(client: _Client, number: str, handle: str, name: str, answers: str, reads: str) -> None:
    """Make a phone."""
    given = {"number": number, "handle": handle, "name": name, "answers": answers, "reads": reads}
    made = client.ask("POST", "/phones", **{key: value for key, value in given.items() if value})
    client.output.document(made, f"{made['id']}  {printable(made['name'])}")


@phones.command()
@click.argument("phone")
@click.argument("text")
@click.option("--channel", default="whatsapp", show_default=True, help="whatsapp, instagram or telegram.")
@click.option("--account", default="", help="To this account; by default to the channel's first one.")
@click.pass_obj
def send(client: _Client, phone: str, text: str, channel: str, account: str) -> None:
    """Write TEXT to an account, as PHONE."""
    where = {"channel": channel, **({"account": account} if account else {})}
    client.show_messages([client.ask("POST", f"{_path(phone)}/send", text=text, **where)])


@phones.command()
@click.argument("phone")
@click.argument("text")
@click.option("--quote", is_flag=True, help="Quote the last message.")
@click.pass_obj
def reply(client: _Client, phone: str, text: str, quote: bool) -> None:
    """Write TEXT where the last message to PHONE came from."""
    client.show_messages([client.ask("POST", f"{_path(phone)}/reply", text=text, quote=quote)])


@phones.command()
@click.argument("phone")
@click.argument("emoji", default="👍")
@click.pass_obj
def react(client: _Client, phone: str, emoji: str) -> None:
    """React to the last message to PHONE."""
    client.show_messages([client.ask("POST", f"{_path(phone)}/react", emoji=emoji)])


@phones.command()
@click.argument("phone")
@click.argument("button", default="1")
@click.pass_obj
def press(client: _Client, phone: str, button: str) -> None:
    """Press a button of the last message to PHONE that has some: its title, its id or its number."""
    client.show_messages([client.ask("POST", f"{_path(phone)}/press", button=button)])


_ACTS = ("read", "block", "unblock", "hide-number", "go-offline", "go-online", "opt-out", "close-window")


@phones.command()
@click.argument("phone")
@click.argument("act", type=click.Choice(_ACTS))
@click.pass_obj
def do(client: _Client, phone: str, act: str) -> None:
    """Let PHONE read, block, hide its number and more."""
    done = client.ask("POST", f"{_path(phone)}/{act}")
    client.output.document(done, f"{phone}: {act}")


def _path(phone: str) -> str:
    return f"/phones/{quote(phone, safe='+@')}"
