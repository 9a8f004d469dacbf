"""Errors of the local stack. Every message says how to go on.

StackError
├── SettingInvalid      a CHAT4ALL_STACK_* variable cannot be read
├── UnknownPart         an unknown name
├── NotInstalled        the `stack` extra is not installed
├── FolderNotOurs       a folder to fill or delete was not created by the stack
├── JarsUnavailable     the Java archives could not be downloaded or do not match their checksum
├── ProgramUnavailable  a server's program is neither here nor can be built
├── PortTaken           another process owns a needed port
├── RunsElsewhere       it runs already, on other ports than the settings say
├── PartBusy            another command holds the part for longer than we wait
├── PartDidNotStart     the process ended, or did not answer in time
├── PartDidNotStop      the process is still there after SIGKILL
└── Cancelled           the caller gave up (Ctrl-C, or another part failed)
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path


class StackError(Exception):
    """Base of all errors of this package."""


class SettingInvalid(StackError):
    def __init__(self, variable: str, value: str, expected: str) -> None:
        super().__init__(f"{variable}={value!r} is not {expected}. Correct it or unset it.")


class UnknownPart(StackError):
    def __init__(self, name: str, known: Iterable[str]) -> None:
        super().__init__(f"There is no part called {name!r}. Choose from: {', '.join(known)}.")


class NotInstalled(StackError):
    def __init__(self, package: str) -> None:
        super().__init__(f"The package {package} is not installed. Run `pip install 'chat4all[stack]'`.")


class FolderNotOurs(StackError):
    def __init__(self, folder: Path, setting: str) -> None:
        super().__init__(
            f"{folder} has content that this stack did not put there, so it is left alone. "
            f"Move it away, or set {setting} to another folder."
        )


class JarsUnavailable(StackError):
    def __init__(self, title: str, reason: str) -> None:
        super().__init__(
            f"The Java archives of {title} could not be fetched: {reason}. "
            "Check the network (HTTPS_PROXY and REQUESTS_CA_BUNDLE are honoured, CHAT4ALL_STACK_MAVEN_URL names "
            "a mirror) and run `up` again: what is already downloaded is kept."
        )


class ProgramUnavailable(StackError):
    def __init__(self, title: str, reason: str) -> None:
        super().__init__(
            f"There is no server of {title} on this machine: {reason}. Put it on the PATH, or name it in MINIO_BIN; or "
            "install Go and run this again, which builds it in 2 to 4 minutes and keeps it. Without it, "
            "CHAT4ALL_FILES=local keeps files in a folder."
        )


class PortTaken(StackError):
    def __init__(self, title: str, port: int, setting: str, owner: str) -> None:
        self.port = port
        super().__init__(
            f"{title} needs port {port}, but it belongs to {owner}. Stop that process, or set {setting} to a free port."
        )


class RunsElsewhere(StackError):
    def __init__(self, title: str, running: Mapping[str, int], wanted: Mapping[str, int]) -> None:
        super().__init__(
            f"{title} runs already with {_listed(running)}, while the settings say {_listed(wanted)}. "
            "Run `down` first, or set the ports back."
        )


class PartBusy(StackError):
    def __init__(self, title: str, seconds: float) -> None:
        super().__init__(
            f"Another command has been starting or stopping {title} for more than {seconds:.0f} s. "
            "Wait for it to end, or stop it, and try again."
        )


class PartDidNotStart(StackError):
    """`log_tail` has the last lines of the process's log."""

    def __init__(self, title: str, reason: str, log_file: Path, log_tail: str) -> None:
        self.log_tail = log_tail
        super().__init__(f"{title} {reason}. Its last words, from {log_file.parent}:\n{log_tail}")


class PartDidNotStop(StackError):
    def __init__(self, title: str, pid: int) -> None:
        super().__init__(f"{title} (pid {pid}) is still there after SIGKILL. Look at it with `ps -fp {pid}`.")


class Cancelled(StackError):
    def __init__(self, title: str) -> None:
        super().__init__(f"Gave up starting {title}. Run `up` again when the reason is gone.")


def _listed(ports: Mapping[str, int]) -> str:
    return ", ".join(f"{name}={port}" for name, port in ports.items())
