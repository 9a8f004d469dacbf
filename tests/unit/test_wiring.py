"""Each role has the agents, tables and topics that it should: an import that fails must not leave one out."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from app.faust.stream_app import StreamApp
from app.roles import ROLES
from app.settings import InvalidSetting, Settings
from channels.manifest import WEBHOOKS
from domain.recipients import CHANNELS
from support.values import NO_ACCOUNTS

EXPECTED: dict[str, tuple[set[str], set[str], set[str]]] = {
    "core": ({"route", "track_status"}, {"message_state"}, {"messages", "status-updates"}),
    "mirror": (
        {"mirror", "mirror_contacts", "mirror_traces"},
        set(),
        {"messages", "status-updates", "traces", *(f"{name}-contacts" for name in CHANNELS)},
    ),
    **{
        name: (
            {f"{verb}_{name}" for verb in ("deliver", "receipts", "contacts", "commands", "people")}
            | {f"webhooks_{name}" for _ in WEBHOOKS if name in WEBHOOKS},
            {"attempts", "queue", "people"},
            {f"{name}-{topic}" for topic in ("outbound", "events", "contacts", "commands", "inbound")}
            | {f"{name}-webhooks" for _ in WEBHOOKS if name in WEBHOOKS},
        )
        for name in CHANNELS
    },
}


@pytest.mark.parametrize("role", ROLES)
def test_a_role_has_its_agents_tables_and_topics(role: str, tmp_path: Path) -> None:
    app = StreamApp(Settings(role=role, data_dir=str(tmp_path), store="memory", accounts=NO_ACCOUNTS))
    agents, tables, topics = EXPECTED[role]
    assert set(app.agents) == agents
    assert set(app.tables) == tables
    assert {topic for agent in app.agents.values() for topic in agent.channel.topics} == topics
    assert app.conf.id == f"chat4all-{role}"


def test_importing_settings_and_topics_does_not_import_faust() -> None:
    code = "import sys, app.settings, app.kafka.topics, app.kafka.codec, app.roles; sys.exit('faust' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False, timeout=30).returncode == 0


@pytest.mark.parametrize(("setting", "added"), [(None, 10), ("0", 0)])
def test_a_worker_gives_way_to_the_api_unless_told_otherwise(setting: str | None, added: int, tmp_path: Path) -> None:
    environ = {**os.environ, "CHAT4ALL_DATA_DIR": str(tmp_path), "CHAT4ALL_STORE": "memory"}
    environ |= {} if setting is None else {"CHAT4ALL_WORKER_NICE": setting}
    code = "import os, app; before = os.nice(0); app.app; print(os.nice(0) - before)"
    run = subprocess.run([sys.executable, "-c", code], env=environ, capture_output=True, text=True, timeout=30)
    assert run.stdout.split()[-1:] == [str(added)], run.stderr


def test_a_wrong_option_of_an_account_is_told_with_its_file_and_its_account(tmp_path: Path) -> None:
    file = tmp_path / "accounts.toml"
    file.write_text('[[whatsapp]]\nname = "main"\ndriver = "provider"\nurl = "nowhere"\n')
    settings = Settings(role="whatsapp", data_dir=str(tmp_path), store="memory", accounts=str(file))
    with pytest.raises(InvalidSetting, match=r"accounts\.toml: account main of whatsapp"):
        StreamApp(settings)
