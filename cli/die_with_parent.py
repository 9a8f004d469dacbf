"""Run a command and end it with its parent process, even after SIGKILL of the parent.

    python -I -S cli/die_with_parent.py PARENT_PID COMMAND [ARGUMENT ...]

It is a separate program, because code between fork and exec is not safe in a process with threads. The command
replaces this process (exec), so it has the pid that the parent knows. Only the standard library is used here.
"""

import ctypes
import os
import signal
import sys
import time

NOT_STARTED = 127  # what a shell says of a command that it cannot run
_PR_SET_PDEATHSIG = 1  # linux/prctl.h; it survives execve
_LOOK_SECONDS = 0.25


def die_with_parent() -> None:
    """Ask Linux to kill this process when the thread of its parent ends."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl(PR_SET_PDEATHSIG)")


def watch_parent(parent: int) -> None:
    """Fork a watcher and let it kill this process once ``parent`` is gone. For systems without a death signal."""
    us = os.getpid()
    if os.fork() != 0:
        return
    while os.getppid() == us:
        try:
            os.kill(parent, 0)
        except ProcessLookupError:
            os.kill(us, signal.SIGKILL)
        except PermissionError:  # alive, and somebody else's by now: the number was given away
            os.kill(us, signal.SIGKILL)
        time.sleep(_LOOK_SECONDS)
    os._exit(0)


def main() -> None:
    """Tie this process to its parent, then become the command."""
    parent, command = int(sys.argv[1]), sys.argv[2:]
    if sys.platform == "linux":
        die_with_parent()
    else:
        watch_parent(parent)
    if os.getppid() != parent:  # it ended before we were tied to it
        os._exit(NOT_STARTED)
    try:
        os.execvp(command[0], command)
    except OSError as error:
        sys.exit(f"cannot run {command[0]}: {error.strerror}")


if __name__ == "__main__":
    main()
