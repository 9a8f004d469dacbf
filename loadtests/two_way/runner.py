"""One two-way run: people write first, load in both directions, kills, rest, and the comparison."""

from __future__ import annotations

import asyncio
import random
import uuid
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from time import monotonic
from typing import Any
from urllib.parse import quote

import aiohttp

from app.audit import audit
from loadtests.groups import Groups, NotInTime, until
from loadtests.seeded import Check, Result
from loadtests.supervised import SupervisedSystem
from loadtests.system import SHIPPED_SESSION_SECONDS, Servers, free_ports, system_settings
from loadtests.two_way.checks import Evidence, right_share
from loadtests.two_way.plan import ACCOUNT, SEED_TEXT, Outbound, Plan, Someone
from loadtests.two_way.secrets import secrets_check, secrets_of
from loadtests.two_way.world import LOOPBACK, World
from simulator.accounts import DEFAULTS
from tables.loaders import LOADERS

WORKERS = {"core": 1, "mirror": 1, "whatsapp": 2, "instagram": 1, "telegram": 1}
RIGHT_SHARE = 0.999
HEALED_SECONDS = 120.0  # after the last dropped webhook every word has to be right
_MEET_SECONDS = 90.0
_LOOK_SECONDS = 1.0
_QUIET_LOOKS = 3
_TRIES = 60
_AUDIT_SECONDS = 30.0
_UNDELIVERABLE = 422


class NotReached(RuntimeError):
    """The API refuses a message, because the person may not be written to now."""


class Client:
    """A user of the API who tries again, as clients are told to."""

    def __init__(self, port: int) -> None:
        self._base = f"http://{LOOPBACK}:{port}"
        self._session = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=15))
        self.username = f"inbox_{uuid.uuid4().hex[:8]}"
        self._headers: dict[str, str] = {}

    async def close(self) -> None:
        await self._session.close()

    async def sign_up(self) -> None:
        account = {"username": self.username, "password": uuid.uuid4().hex}
        await self.asked("POST", "/users", account)
        session = await self.asked("POST", "/auth/login", account)
        self._headers = {"Authorization": f"Bearer {session['access_token']}"}

    async def asked(self, method: str, path: str, body: Any = None, key: str = "") -> Any:
        """Return the answer; ask again after 503, 429 or a broken connection. Raises ``RuntimeError``."""
        headers = {**self._headers, **({"Idempotency-Key": key} if key else {})}
        said = "no answer"
        for _ in range(_TRIES):
            try:
                async with self._session.request(method, self._base + path, json=body, headers=headers) as answer:
                    if answer.status < 300 or (path == "/users" and answer.status == 409):
                        return await answer.json()
                    said = f"{answer.status} {await answer.text():.300}"
                    if answer.status == _UNDELIVERABLE:
                        raise NotReached(said)
                    if answer.status not in (429, 503):
                        break
            except (aiohttp.ClientError, TimeoutError, OSError) as error:
                said = repr(error)
            await asyncio.sleep(0.5)
        raise RuntimeError(f"{method} {path}: {said}")

    async def pages(self, path: str, name: str) -> list[dict[str, Any]]:
        """Return all elements of a list with cursors."""
        rows: list[dict[str, Any]] = []
        cursor = ""
        while True:
            page = await self.asked("GET", f"{path}?limit=100" + (f"&cursor={quote(cursor)}" if cursor else ""))
            rows += page[name]
            cursor = page["pagination"]["next_cursor"]
            if not cursor:
                return rows


async def run(plan: Plan, servers: Servers, folder: Path, say: Callable[[str], None] = print) -> Result:
    """Run ``plan`` on a system of its own on ``servers``, with logs in ``folder``, which exists."""
    settings = system_settings(
        servers,
        folder,
        accounts=str(folder / "accounts.toml"),
        evidence_seconds=plan.evidence_seconds,
        send_seconds=plan.send_seconds,
        session_timeout_seconds=SHIPPED_SESSION_SECONDS,
    )
    client = Client(settings.port)
    world = World(settings, folder, free_ports(1), plan.seed, client.username)
    system = SupervisedSystem(settings, folder, WORKERS)
    result = Result(plan)
    try:
        await world.start()
        async with system:
            await client.sign_up()
            conversations = await _meet(plan, world, client)
            say(f"{len(conversations)} people have written first")
            await world.asked("POST", "/chaos", _chaos(plan))
            began = monotonic()
            accepted, _, _ = await asyncio.gather(
                _send(plan, client, conversations, say), _write(plan, world), _kill(plan, system, say)
            )
            say(f"{monotonic() - began:6.1f} s  all is sent; waiting for the rest")
            if plan.dropped_share:
                await asyncio.sleep(max(0.0, began + plan.dropped_seconds + HEALED_SECONDS - monotonic()))
            is_at_rest = await _rest(plan, world, client, system, conversations, began)
            result.seconds = monotonic() - began
            evidence = await _evidence(plan, world, client, conversations, accepted)
            faults = (
                ()
                if is_at_rest
                else (
                    "messages, webhooks or records were still open; the other verdicts are those of a system at work",
                )
            )
            result.checks = [Check("all came to rest in time", faults, f"within {plan.limit_seconds:g} s")]
            result.checks += evidence.checks()
            if plan.dropped_share:
                result.checks.append(_right(evidence))
            counts = await world.asked("GET", "/counts")
            for name, words in sorted(counts["accounts"].items()):
                result.checks.append(Check(f"{name}", (), str(words)))
            result.checks.append(await secrets_check(settings, folder, secrets_of(DEFAULTS)))
            report = await audit(replace(settings, cassandra_timeout_seconds=_AUDIT_SECONDS), LOADERS)
            result.checks.append(Check("the audit is clean", () if report.is_clean else (str(report),)))
    finally:
        await client.close()
        await world.end()
    return result


def _chaos(plan: Plan) -> dict[str, Any]:
    chaos: dict[str, Any] = {"preset": plan.preset, "seed": plan.seed}
    if plan.dropped_share:
        chaos |= {"drop_statuses_share": plan.dropped_share, "drop_to_seconds": plan.dropped_seconds}
    return chaos


async def _meet(plan: Plan, world: World, client: Client) -> dict[str, str]:
    """Let everybody write first; return the conversation of each person."""
    for one in plan.everyone():
        await world.asked("POST", "/phones", {"id": one.id, **_identity(one), **one.manners})
        await world.asked("POST", f"/phones/{one.id}/send", {"channel": one.channel, "text": f"{SEED_TEXT}: {one.id}"})
    found: dict[str, str] = {}

    async def all_are_there() -> bool:
        for conversation in await client.pages("/v1/conversations", "conversations"):
            name = conversation["conversation_id"]
            if name in found.values():
                continue
            for message in await client.pages(f"/v1/conversations/{quote(name, safe='')}/messages", "messages"):
                if message["content"].startswith(SEED_TEXT):
                    found[message["content"].rpartition(" ")[2]] = name
        return len(found) == 3 * plan.people

    try:
        await until("everybody's first message is in a conversation", _MEET_SECONDS, all_are_there)
    except NotInTime as error:
        raise RuntimeError(f"only {len(found)} of {3 * plan.people} first messages came in") from error
    return found


def _identity(one: Someone) -> dict[str, str]:
    number = int(one.id.rpartition("-")[2])
    if one.channel == "whatsapp":
        return {"number": f"+55119{number:08d}"}
    return {"handle": f"{one.channel}.{number}"}


async def _send(
    plan: Plan, client: Client, conversations: dict[str, str], say: Callable[[str], None]
) -> list[Outbound]:
    """Send our messages; those to one person one after the other. Return the accepted messages."""
    accepted: list[Outbound] = []
    refused = 0
    queues: dict[str, asyncio.Queue[Outbound | None]] = {person: asyncio.Queue() for person in conversations}

    async def deliver(person: str) -> None:
        nonlocal refused
        while (order := await queues[person].get()) is not None:
            body = {"conversation_id": conversations[person], "content": order.text}
            key = f"{plan.seed}-{order.person_id}-{order.sequence}"
            try:
                await client.asked("POST", "/v1/messages", body, key=key)
            except NotReached:  # the chaos refused the person's message before as one to somebody who opted out
                refused += 1
            else:
                accepted.append(order)

    tasks = [asyncio.create_task(deliver(person)) for person in conversations]
    began = monotonic()
    for number, order in enumerate(plan.outbound()):
        await asyncio.sleep(max(0.0, began + number / plan.per_second - monotonic()))
        queues[order.person_id].put_nowait(order)
    for queue in queues.values():
        queue.put_nowait(None)
    await asyncio.gather(*tasks)
    say(f"{refused} of {len(accepted) + refused} messages were refused at acceptance: the person had opted out")
    return accepted


async def _write(plan: Plan, world: World) -> None:
    """Let the people write by themselves over the time of the load."""
    orders, began = plan.inbound(), monotonic()
    channels = {one.id: one.channel for one in plan.everyone()}
    for number, order in enumerate(orders):
        await asyncio.sleep(max(0.0, began + number * plan.load_seconds / len(orders) - monotonic()))
        body = {"channel": channels[order.person_id], "account": ACCOUNT, "text": order.text}
        await world.asked("POST", f"/phones/{order.person_id}/send", body)


async def _kill(plan: Plan, system: SupervisedSystem, say: Callable[[str], None]) -> None:
    """Kill workers and the API. The supervisor restarts the workers; this coroutine restarts the API."""
    began = monotonic()
    for at_seconds, name in plan.kill_times():
        await asyncio.sleep(max(0.0, began + at_seconds - monotonic()))
        say(f"{monotonic() - began:6.1f} s  kill {name}")
        if name == "api":
            process = random.Random(plan.seed).choice(system.apis)
            process.kill()
            process.start()
        else:
            system.worker(name).kill()


async def _rest(
    plan: Plan, world: World, client: Client, system: SupervisedSystem, conversations: dict[str, str], began: float
) -> bool:
    """Wait until the simulator is quiet, the groups have no lag and no message of ours is open."""
    looks, before = 0, -1
    deadline = began + plan.limit_seconds
    async with Groups.connected(system.settings) as groups:
        while monotonic() < deadline:
            lag = sum([await groups.lag(role) for role in WORKERS])
            open_ones = await _open(client, conversations) if not lag and await world.is_quiet() else -1
            taken = (await world.asked("GET", "/counts"))["taken"]
            looks = looks + 1 if open_ones == 0 and taken == before else 0
            before = taken
            if looks >= _QUIET_LOOKS:
                return True
            await asyncio.sleep(_LOOK_SECONDS)
    return False


async def _open(client: Client, conversations: dict[str, str]) -> int:
    """Return how many messages of ours have no final word yet."""
    shown = await _shown(client, conversations)
    return sum(m["status"] == "ACCEPTED" for page in shown.values() for m in page if "address" not in m["sender"])


async def _shown(client: Client, conversations: dict[str, str]) -> dict[str, Sequence[dict[str, Any]]]:
    shown: dict[str, Sequence[dict[str, Any]]] = {}
    for person, name in conversations.items():
        shown[person] = await client.pages(f"/v1/conversations/{quote(name, safe='')}/messages", "messages")
    return shown


async def _evidence(
    plan: Plan, world: World, client: Client, conversations: dict[str, str], accepted: Sequence[Outbound]
) -> Evidence:
    return Evidence(
        accepted=accepted,
        taken=await world.rows("taken"),
        written=await world.rows("written"),
        shown=await _shown(client, conversations),
        receipts={one.id: one.manners.get("receipts", True) for one in plan.everyone()},
    )


def _right(evidence: Evidence) -> Check:
    share, count = right_share(evidence, "whatsapp")
    faults = () if share >= RIGHT_SHARE else (f"only {share:.2%} of {count} states are right",)
    return Check("dropped webhooks are healed", faults, f"{share:.2%} of {count} states of WhatsApp are right")
