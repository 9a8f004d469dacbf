"""What the resources are made of: containers, probes, rules of spreading."""

from __future__ import annotations

from typing import Any

IMAGE, USER, API_PORT, LEDGER_PORT, METRICS_PORT = "chat4all", 10001, 8080, 8081, 8082
CHANNELS = ("whatsapp", "instagram", "telegram")
ROLES = ("core", "mirror", *CHANNELS)
Resource = dict[str, Any]
LABEL = "app.kubernetes.io/component"


def resource(kind: str, api: str, name: str, **more: Any) -> Resource:
    """Return a resource with the labels that all have."""
    labels = {"app.kubernetes.io/name": "chat4all", LABEL: name}
    return {"apiVersion": api, "kind": kind, "metadata": {"name": name, "labels": labels}, **more}


def selector(name: str) -> Resource:
    """Return the selector of a component's pods."""
    return {"matchLabels": {"app.kubernetes.io/name": "chat4all", LABEL: name}}


def container(name: str, command: list[str], port: int, path: str, cpu: str, memory: str) -> Resource:
    """Return a container of the product. ``path``: of its probes, on ``port``.

    A liveness probe asks for little and waits long: starting a process again cures neither Kafka nor Cassandra.
    """
    probe = {"httpGet": {"path": path, "port": port}, "timeoutSeconds": 3}
    alive = {"tcpSocket": {"port": port}, "timeoutSeconds": 3}
    return {
        "name": name,
        "image": IMAGE,
        "args": command,
        "envFrom": [{"configMapRef": {"name": "chat4all"}}, {"secretRef": {"name": "chat4all"}}],
        "env": [_from_field("CHAT4ALL_NODE", "metadata.name"), _from_field("CHAT4ALL_INSTANCE", "metadata.name")],
        "ports": [{"name": "http", "containerPort": port}],
        "startupProbe": {**alive, "periodSeconds": 3, "failureThreshold": 60},
        "readinessProbe": {**probe, "periodSeconds": 5, "failureThreshold": 2},
        "livenessProbe": {**alive, "periodSeconds": 10, "failureThreshold": 6},
        "resources": {"requests": {"cpu": cpu, "memory": memory}, "limits": {"memory": memory}},
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        },
        "volumeMounts": [
            {"name": "data", "mountPath": "/data"},
            {"name": "tmp", "mountPath": "/tmp"},
            {"name": "accounts", "mountPath": "/config", "readOnly": True},
        ],
    }


def pod(name: str, main: Resource, *, stop_seconds: int = 45) -> Resource:
    """Return the template of a pod, spread over nodes and zones."""
    spread = [
        {
            "maxSkew": 1,
            "topologyKey": key,
            "whenUnsatisfiable": "ScheduleAnyway",
            "labelSelector": selector(name),
        }
        for key in ("kubernetes.io/hostname", "topology.kubernetes.io/zone")
    ]
    return {
        "metadata": {"labels": {**selector(name)["matchLabels"]}},
        "spec": {
            "automountServiceAccountToken": False,
            "enableServiceLinks": False,
            "terminationGracePeriodSeconds": stop_seconds,
            "topologySpreadConstraints": spread,
            "securityContext": {
                "runAsNonRoot": True,
                "runAsUser": USER,
                "runAsGroup": USER,
                "fsGroup": USER,
                "seccompProfile": {"type": "RuntimeDefault"},
            },
            "containers": [main],
            "volumes": [
                {"name": "data", "emptyDir": {"sizeLimit": "4Gi"}},
                {"name": "tmp", "emptyDir": {"sizeLimit": "64Mi"}},
                {"name": "accounts", "secret": {"secretName": "chat4all-accounts"}},
            ],
        },
    }


def _from_field(name: str, path: str) -> Resource:
    return {"name": name, "valueFrom": {"fieldRef": {"fieldPath": path}}}
