"""docs/older-clients.md, run as it stands: the curl lines of clients that were there before."""

from __future__ import annotations

import asyncio
import os
import re
import shutil
from pathlib import Path

import pytest

from domain.direct import is_direct
from domain.routing import decide
from support.api import Api

PAGE = Path(__file__).parents[2] / "docs" / "older-clients.md"
BLOCKS = re.findall(r"^```sh\n(.*?)^```$", PAGE.read_text(), re.DOTALL | re.MULTILINE)

pytestmark = pytest.mark.skipif(
    not (shutil.which("curl") and shutil.which("jq") and shutil.which("bash")), reason="needs bash, curl and jq"
)


async def bash(script: str, **variables: str) -> str:
    """Return what the lines print; the first one that fails is told."""
    process = await asyncio.create_subprocess_exec(
        "bash",
        "-euo",
        "pipefail",
        "-c",
        script,
        env={"PATH": os.environ["PATH"], **variables},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, err = await asyncio.wait_for(process.communicate(), 30)
    assert process.returncode == 0, (script, out, err)
    return out.decode()


async def test_the_older_clients_flow_works_for_two_users_of_one_system(api: Api) -> None:
    where = f"http://127.0.0.1:{api.port}"
    account, *rest = BLOCKS
    headers = {
        name: (await bash(f'{account}\nprintf "\\n%s" "$ME"', API=where, NAME=name)).rpartition("\n")[2]
        for name in ("ana", "bruno")
    }
    for name, other in (("ana", "bruno"), ("bruno", "ana")):
        before = len(api.log.records)
        shown = await bash("\n".join(rest), API=where, NAME=name, OTHER=other, ME=headers[name], THEM=headers[other])
        assert '"status":"READ"' in shown
        notes, group, phone, user = (record for record, *_ in api.log.records[before:])
        assert (notes.conversation_id, notes.recipients) == (f"notes-{name}", ())
        assert group.recipients == group.recipients[:1] != ()
        assert (phone.recipient_id, user.recipient_users) == ("whatsapp:+5511999990000", group.recipient_users)
        assert phone.conversation_id != user.conversation_id
        [position] = [position for record, position, _ in api.log.records if record is notes]
        for fact in decide(notes, position).facts:
            api.recent.add_fact(fact)
        token = headers[name].rpartition(" ")[2]
        listed = await (await api.call("GET", f"/v1/messages?conversation_id=notes-{name}", token=token)).json()
        assert [(one["status"], one["sender"]["username"]) for one in listed["messages"]] == [("SENT", name)]
    # the threads of the two with each other are one
    threads = {record.conversation_id for record, *_ in api.log.records if is_direct(record.conversation_id)}
    assert len(threads) == 3
