"""The options of a run. ``python -m loadtests.locust`` writes them to the environment of Locust's process."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, Self

from loadtests.locust.shapes import Shape, shape_named

PREFIX = "CHAT4ALL_LOAD_"


@dataclass(frozen=True, slots=True)
class Options:
    """Each field is the variable ``CHAT4ALL_LOAD_<FIELD>``.

    ``seconds`` 0: the shape's usual length. ``per_minute``: messages a minute of ``users`` texters together.
    ``tags``: of journeys, separated by commas. ``metrics``: ``name=url`` of Prometheus texts, separated by commas.
    ``operator`` and ``inbox``: ``username:password`` of an admin, and of
    the owner of the ``simulator``'s inbound conversations. ``settings``: shown in the report.
    """

    shape: str = "baseline"
    users: int = 20
    seconds: float = 0.0
    per_minute: float = 753.0
    tags: str = ""
    host: str = "http://127.0.0.1:8080"
    metrics: str = ""
    operator: str = ""
    simulator: str = ""
    inbox: str = ""
    out: str = ""
    command: str = ""
    settings: str = ""

    @classmethod
    def from_environ(cls, environ: Mapping[str, str] | None = None) -> Self:
        """Return the options of ``environ``. Raises ``ValueError`` for a number that is none."""
        environ = os.environ if environ is None else environ
        values: dict[str, Any] = {}
        for f in fields(cls):
            if (text := environ.get(PREFIX + f.name.upper())) is not None:
                values[f.name] = float(text) if f.type == "float" else int(text) if f.type == "int" else text
        return cls(**values)

    def to_environ(self) -> dict[str, str]:
        """Return the variables from which ``from_environ`` makes these options again."""
        return {PREFIX + f.name.upper(): str(getattr(self, f.name)) for f in fields(self)}

    @property
    def plan(self) -> Shape:
        """The shape. Raises ``ValueError`` for an unknown one."""
        return shape_named(self.shape, self.users, self.seconds)

    @property
    def every_seconds(self) -> float:
        """Seconds between two messages of one user."""
        return self.users * 60.0 / self.per_minute

    @property
    def tag_list(self) -> list[str]:
        return [tag for tag in self.tags.split(",") if tag]

    @property
    def targets(self) -> dict[str, str]:
        """Addresses of metrics by the name of their process. The API of the host is always one of them."""
        named = (text.partition("=") for text in self.metrics.split(",") if text)
        return {"api": f"{self.host}/metrics", **{name: url for name, _, url in named}}
