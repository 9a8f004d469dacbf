"""The client repeats some values and rules of the server, because it installs without it. Both must agree."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from chat4all import contract
from chat4all.cli import safe_text
from domain import conversations, files, ids, message_state, recipients, records, text, usernames

UUID = "01890f3e-7b6c-7cc0-98c4-dc0c0c07398f"
EXAMPLES = ["user:maria", "USER:", "a:b", UUID, UUID.upper(), f"{UUID}\n"]
CHARACTERS = st.characters() | st.sampled_from([*text.DIRECTIONS, *'<>:"|?*/\\._- ', "\u200d", "\ufe0f", "\u2028"])


def test_words_and_limits_are_the_servers() -> None:
    assert [str(status) for status in contract.Status] == [str(status) for status in message_state.Status]
    # the client only tells a recipient from a text by them, so it may know fewer
    assert set(contract.CHANNELS) <= set(recipients.CHANNELS)
    assert contract.INTERNAL == recipients.INTERNAL
    assert contract.MAX_CONTENT_BYTES == records.MAX_CONTENT_BYTES
    assert contract.PART_BYTES == files.PART_BYTES
    assert safe_text.DIRECTIONS == text.DIRECTIONS
    assert safe_text.MAX_FILENAME_BYTES == files.MAX_FILENAME_BYTES


@given(st.text(CHARACTERS, max_size=80) | st.text(max_size=300) | st.sampled_from(EXAMPLES))
def test_rules_are_the_servers(given_text: str) -> None:
    assert safe_text.safe_filename(given_text) == files.safe_filename(given_text)
    assert [*map(safe_text.is_control, given_text)] == [*map(text.is_control, given_text)]
    assert contract.is_address(given_text) == conversations.is_address(given_text)
    assert contract.is_uuid(given_text) == ids.is_uuid(given_text)
    assert contract.names_user(given_text) == usernames.names_user(given_text)
