"""The files of kustomize, by their paths below this folder. Pure; ``__main__.py`` writes them."""

from __future__ import annotations

from typing import Any

from docker.kubernetes.parts import ROLES, Resource
from docker.kubernetes.resources import base, scaled
from docker.yaml_text import yaml_text

_MADE = "# Made by `python -m docker.kubernetes`; change the description there.\n"
SECRETS = ("CHAT4ALL_JWT_SECRET", "CHAT4ALL_S3_ACCESS_KEY", "CHAT4ALL_S3_SECRET_KEY")


def files() -> dict[str, str]:
    """Return the content of each file."""
    found = {f"base/{name}": _text(*resources) for name, resources in base().items()}
    found["base/kustomization.yaml"] = _text(_kustomization(list(base())))
    found["overlays/small/kustomization.yaml"] = _text(_small())
    found["overlays/scaled/keda.yaml"] = _text(*map(scaled, ROLES))
    found["overlays/scaled/kustomization.yaml"] = _text(_kustomization(["../../base", "keda.yaml"]))
    return found


def _kustomization(resources: list[str], **more: Any) -> Resource:
    head = {"apiVersion": "kustomize.config.k8s.io/v1beta1", "kind": "Kustomization"}
    return {**head, "resources": resources, **more}


def _small() -> Resource:
    """Return the overlay for trying it out: one of each, one copy of everything."""
    one = [{"op": "replace", "path": "/spec/replicas", "value": 1}]
    copies = ("CHAT4ALL_REPLICATION_FACTOR", "CHAT4ALL_MIN_INSYNC_REPLICAS", "CHAT4ALL_CASSANDRA_REPLICATION_FACTOR")
    single = [{"op": "replace", "path": f"/data/{name}", "value": "1"} for name in copies]
    secret = {"name": "chat4all", "envs": ["secrets.env"]}
    return _kustomization(
        ["../../base"],
        patches=[
            {"target": {"kind": "StatefulSet"}, "patch": yaml_text(one)},
            {"target": {"kind": "ConfigMap", "name": "chat4all"}, "patch": yaml_text(single)},
        ],
        secretGenerator=[secret],
    )


def _text(*resources: Resource) -> str:
    return _MADE + "---\n".join(map(yaml_text, resources))
