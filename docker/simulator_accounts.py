"""Writes docker/simulator: accounts.toml for compose.simulator.yaml, and the files of its secrets.

python -m docker.simulator_accounts
"""

from __future__ import annotations

from pathlib import Path

from cli.simulated_accounts import write_accounts

FOLDER = Path(__file__).with_name("simulator")
URL, INBOX = "http://simulator:8090", "inbox"


def write(folder: Path = FOLDER) -> None:
    """Write the files; people's conversations go to the user ``INBOX``."""
    path = write_accounts(folder, URL)
    lines = path.read_text(encoding="utf-8").splitlines()[1:]
    made = ["# Made by `python -m docker.simulator_accounts`: accounts at the simulator of compose.simulator.yaml."]
    for line in lines:
        made.append(line)
        if line.startswith("name = "):
            made.append(f'inbox = "{INBOX}"')
    path.write_text("\n".join(made) + "\n", encoding="utf-8")


if __name__ == "__main__":
    write()
