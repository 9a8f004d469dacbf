"""A story as a test for pytest: what happened on a telephone, in its order."""

from __future__ import annotations

import ast

from simulator.messages import Button, Content, Event, Message, Taken
from simulator.stories import MOST_STEPS, Scene, Stories, source

SCENE = Scene("whatsapp", "Ana", {"reads": "never"}, "http://127.0.0.1:8080", "http://127.0.0.1:8090")
KEY = ("whatsapp", "default")


def _taken(number: int, text: str, *statuses: str, **content: object) -> Taken:
    kind = str(content.pop("kind", "text"))
    message = Message(Content(kind, text, **content), reply_to="")  # type: ignore[arg-type]
    taken = Taken(number, f"wamid.{number}", KEY, "ana", message, 1)
    taken.events += [Event(str(n), status, 1) for n, status in enumerate(statuses)]
    return taken


def _lines(stories: Stories) -> list[str]:
    text = source(SCENE, stories.of("ana", "whatsapp"))
    ast.parse(text)
    body = text.partition("as story:\n")[2]
    return [line.strip() for line in body.splitlines()]


def test_messages_and_acts_come_in_their_order_and_end_in_what_was_told_of_them() -> None:
    stories = Stories()
    stories.took("ana", _taken(1, "oi 'you'", "SENT", "DELIVERED", "READ"))
    stories.acted("ana", "read", {}, "")
    stories.acted("ana", "reply", {"message_id": "wamid.1", "text": "olá"}, "whatsapp")
    assert _lines(stories) == [
        "m1 = await story.sends(\"oi 'you'\")",
        "await story.does('read')",
        "await story.does('reply', to=m1, text='olá')",
        "await story.ends(m1, 'READ')",
    ]


def test_buttons_are_sent_and_pressed_again() -> None:
    stories = Stories()
    buttons = (Button("b1", "Yes"), Button("b2", "No"))
    stories.took("ana", _taken(1, "When?", "SENT", kind="interactive", buttons=buttons))
    stories.acted("ana", "press", {"message_id": "wamid.1", "button": "b2"}, "whatsapp")
    assert _lines(stories)[:2] == [
        "m1 = await story.sends('When?', buttons=['Yes', 'No'])",
        "await story.does('press', to=m1, button='b2')",
    ]


def test_kinds_that_a_story_cannot_send_are_said_so_and_their_acts_left_out() -> None:
    stories = Stories()
    stories.took("ana", _taken(1, "", "SENT", kind="image"))
    stories.acted("ana", "react", {"message_id": "wamid.1", "emoji": "👍"}, "whatsapp")
    assert all(line.startswith(("#", "pass  #")) for line in _lines(stories))


def test_another_channel_has_another_story_and_what_concerns_all_is_in_each() -> None:
    stories = Stories()
    stories.acted("ana", "send", {"text": "oi", "channel": "telegram"}, "telegram")
    stories.acted("ana", "go-offline", {}, "")
    assert [step.name for step in stories.of("ana", "whatsapp")] == ["go-offline"]
    assert [step.name for step in stories.of("ana", "telegram")] == ["send", "go-offline"]


def test_a_failure_that_was_healed_ends_well_and_one_that_was_not_does_not() -> None:
    stories = Stories()
    stories.took("ana", _taken(1, "a", "SENT", "FAILED", "READ"))
    stories.took("ana", _taken(2, "b", "SENT", "FAILED"))
    assert _lines(stories)[-2:] == ["await story.ends(m1, 'READ')", "await story.ends(m2, 'FAILED')"]


def test_a_story_is_bounded_and_an_empty_one_is_a_test_all_the_same() -> None:
    stories = Stories()
    assert _lines(stories) == ["pass  # nothing has happened on this telephone yet that can be played"]
    for _ in range(MOST_STEPS + 5):
        stories.acted("ana", "read", {}, "")
    assert len(stories.of("ana", "whatsapp")) == MOST_STEPS


def test_names_and_texts_of_strangers_stay_text() -> None:
    stories = Stories()
    stories.took("ana", _taken(1, '"""\n__import__("os")', "SENT"))
    scene = Scene("whatsapp", '"""; x', {}, "", "")
    tree = ast.parse(source(scene, stories.of("ana", "whatsapp")))
    assert {node.names[0].name for node in tree.body if isinstance(node, ast.Import)} == {"asyncio"}
    assert not [call for call in ast.walk(tree) if isinstance(call, ast.Name) and call.id == "__import__"]
