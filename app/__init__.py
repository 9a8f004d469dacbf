"""The Faust application of the role named by ``CHAT4ALL_ROLE``, created on first access.

    CHAT4ALL_ROLE=whatsapp faust -A app worker

Importing a module of this package (``app.settings``, ``app.kafka.topics``) reads no environment and imports no Faust.
"""

from __future__ import annotations

from typing import Any


def __getattr__(name: str) -> Any:
    if name != "app":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    import os

    from app import fault_points
    from app.faust.stream_app import StreamApp
    from app.settings import Settings

    settings = Settings.from_environ()
    fault_points.arm(settings.role)
    os.nice(settings.worker_nice)  # before any thread starts, since Linux keeps niceness for each thread
    made = globals()["app"] = StreamApp(settings)
    return made
