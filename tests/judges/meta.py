"""Meta's OpenAPI description as a judge of answers and webhooks."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import jsonschema_rs
import yaml


class Meta:
    """The description; ``path`` names an operation as it does."""

    def __init__(self, folder: Path) -> None:
        text = (folder / "meta-business-messaging-v23.yaml").read_text()
        self._document: dict[str, Any] = yaml.load(text, yaml.CSafeLoader)

    @property
    def components(self) -> dict[str, Any]:
        """The description's components, to which its references lead."""
        found: dict[str, Any] = self._document["components"]
        return found

    @property
    def schemas(self) -> dict[str, Any]:
        """The schemas by their names."""
        found: dict[str, Any] = self.components["schemas"]
        return found

    def query_names(self, path: str, method: str = "get") -> set[str]:
        """Return the names of an operation's parameters in the query."""
        parameters = self._document["paths"][path][method]["parameters"]
        return {each["name"] for each in parameters if each.get("in") == "query"}

    def schema(self, name: str) -> dict[str, Any]:
        """Return a schema by its name."""
        return {"$ref": f"#/components/schemas/{name}"}

    def answer(self, path: str, method: str = "post", status: str = "200") -> dict[str, Any]:
        """Return the schema of an answer, that of errors if the operation describes none of this status."""
        responses = self._document["paths"][path][method]["responses"]
        if status not in responses:
            return self.schema("GraphAPIError")
        found: dict[str, Any] = responses[status]["content"]["application/json"]["schema"]
        return found

    def faults(self, schema: dict[str, Any], document: object) -> list[str]:
        """Return what the schema finds wrong with ``document``."""
        whole = {**schema, "components": self._document["components"]}
        validator = jsonschema_rs.Draft4Validator(whole)
        return [
            f"{'/'.join(map(str, error.instance_path))}: {error.message}" for error in validator.iter_errors(document)
        ]
