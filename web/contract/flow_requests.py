"""The schema of the request about the flow."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from web.contract.request_fields import Schema


class ShowFlow(Schema):
    """Of ``GET /v1/admin/flow``."""

    since: Annotated[int, Field(ge=0, le=2**38, description="Only seconds after this one, in epoch seconds.")] = 0
