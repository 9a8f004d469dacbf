"""The acts on telephones, step by step, and the same as a test for pytest: "Save as test"."""

from __future__ import annotations

import json
import re
from collections import OrderedDict, deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from simulator.messages import Taken

MOST_STEPS = 400  # of one person
MOST_PEOPLE = 5_000
MOST_BODY_CHARACTERS = 8_000
TOOK = "took"


@dataclass(frozen=True, slots=True)
class Step:
    """``name``: ``took`` for a message of an account, or the person's act; ``body``: the act's."""

    name: str
    channel: str
    body: Mapping[str, Any]
    taken: Taken | None = None


class Stories:
    """The last steps of each person; the people who did nothing for longest are forgotten."""

    def __init__(self) -> None:
        self._steps: OrderedDict[str, deque[Step]] = OrderedDict()

    def took(self, person_id: str, taken: Taken) -> None:
        """Note a message that a provider took for the person."""
        self._add(person_id, Step(TOOK, taken.account[0], {}, taken))

    def acted(self, person_id: str, act: str, body: Mapping[str, Any], channel: str) -> None:
        """Note an act; ``channel``: where it was, empty for all."""
        if len(json.dumps(body)) <= MOST_BODY_CHARACTERS:
            self._add(person_id, Step(act, channel, body))

    def of(self, person_id: str, channel: str) -> Sequence[Step]:
        """Return the steps on a channel, with those that concern every channel."""
        return [step for step in self._steps.get(person_id, ()) if step.channel in ("", channel)]

    def _add(self, person_id: str, step: Step) -> None:
        steps = self._steps.setdefault(person_id, deque(maxlen=MOST_STEPS))
        self._steps.move_to_end(person_id)
        steps.append(step)
        if len(self._steps) > MOST_PEOPLE:
            self._steps.popitem(last=False)


@dataclass(frozen=True, slots=True)
class Scene:
    """Where a story was played. ``manners``: how the person was made; ``api``: the address of Chat4All."""

    channel: str
    name: str
    manners: Mapping[str, Any]
    api: str
    simulator: str


def source(scene: Scene, steps: Sequence[Step]) -> str:
    """Return a file for pytest that plays the steps again, with a new user and a new telephone."""
    word = re.sub(r"\W+", "_", scene.name.lower(), flags=re.ASCII).strip("_") or "somebody"
    lines = list(_played(steps))
    if all(line.startswith("#") for line in lines):
        lines.append("pass  # nothing has happened on this telephone yet that can be played")
    where = f"{scene.channel!r}, {dict(scene.manners)!r}, {scene.api!r}, {scene.simulator!r}"
    return "\n".join(
        [
            f'"""What happened on the {scene.channel} telephone of {_plain(scene.name)}; it needs a running system."""',
            "",
            "import asyncio",
            "",
            "from simulator.story import Story",
            "",
            "",
            f"def test_{word}_on_{scene.channel}() -> None:",
            "    asyncio.run(_played())",
            "",
            "",
            "async def _played() -> None:",
            f"    async with Story({where}) as story:",
            *(f"        {line}" for line in lines),
            "",
        ]
    )


def _played(steps: Sequence[Step]) -> Iterator[str]:
    names: dict[str, str] = {}
    for step in steps:
        if step.taken is None:
            yield from _acted(step, names)
        elif step.taken.copy == 1:
            yield from _took(step.taken, names)
    for step in steps:
        if (taken := step.taken) is not None and taken.provider_id in names and taken.events:
            yield f"await story.ends({names[taken.provider_id]}, {_last_status(taken)!r})"


def _took(taken: Taken, names: dict[str, str]) -> Iterator[str]:
    content = taken.message.content
    titles = [button.title for button in content.buttons if button.kind == "reply"]
    if content.kind not in ("text", "interactive") or (content.buttons and not titles) or not content.text:
        yield f"# the account sent a message of the kind {_plain(content.kind)!r} here, which this test leaves out"
        return
    name = names[taken.provider_id] = f"m{len(names) + 1}"
    buttons = f", buttons={titles!r}" if titles else ""
    answer = f", reply_to={names[taken.message.reply_to]}" if taken.message.reply_to in names else ""
    yield f"{name} = await story.sends({content.text!r}{buttons}{answer})"


def _acted(step: Step, names: Mapping[str, str]) -> Iterator[str]:
    body = {key: value for key, value in step.body.items() if key not in ("message_id", "channel", "account")}
    target = names.get(str(step.body.get("message_id", "")))
    if "message_id" in step.body and target is None:
        yield f"# the person did {step.name!r} here to a message that this test leaves out"
        return
    words = "".join(f", {key}={value!r}" for key, value in body.items())
    yield f"await story.does({step.name!r}{f', to={target}' if target else ''}{words})"


def _last_status(taken: Taken) -> str:
    """Return the furthest status that was told of a message; a receipt heals a failure."""
    order = ("FAILED", "SENT", "DELIVERED", "READ")
    told = [event.status for event in taken.events]
    return max(told, key=order.index) if "READ" in told or "DELIVERED" in told else told[-1]


def _plain(words: str) -> str:
    return re.sub(r"[^\w @+.-]", "", words) or "somebody"
