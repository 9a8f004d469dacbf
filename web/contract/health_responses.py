"""Schemas of responses about the health of a process."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, Field


class Liveness(BaseModel):
    status: Literal["UP"]


class Component(BaseModel):
    status: Literal["UP", "DOWN"]
    latency_ms: Annotated[float, Field(ge=0, examples=[1.4])]


class Readiness(BaseModel):
    status: Literal["UP", "DOWN"]
    components: dict[str, Component]
