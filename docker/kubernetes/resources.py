"""The resources: an API behind a service and an ingress, a StatefulSet a role, a Job for the migration."""

from __future__ import annotations

from app.kafka.topics import Topics, group_of
from docker.kubernetes.parts import (
    API_PORT,
    CHANNELS,
    LABEL,
    LEDGER_PORT,
    METRICS_PORT,
    ROLES,
    Resource,
    container,
    pod,
    resource,
    selector,
)

PARTITIONS = 6
LAG_OF_A_WORKER = "2000"
# what the world may ask; metrics are for the inside
PREFIXES = (
    "/v1",
    "/auth",
    "/users",
    "/webhooks",
    "/notifications",
    "/health",
    "/docs",
    "/openapi.json",
    "/console",
)


def api() -> list[Resource]:
    """Return the API: no state, two processes at least, more by CPU."""
    # not /health/ready: while Cassandra or the store is away it is 503 at every pod, and accepting needs Kafka alone
    main = container("api", ["api", "--processes", "1"], API_PORT, "/health", "500m", "768Mi")
    deployment = {
        "replicas": 2,
        "selector": selector("api"),
        # one more before one less: nobody is refused during an update
        "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0}},
        "template": pod("api", main),
    }
    scaler = {
        "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "api"},
        "minReplicas": 2,
        "maxReplicas": 6,
        "metrics": [
            {
                "type": "Resource",
                "resource": {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 70}},
            }
        ],
    }
    ports = [{"name": "http", "port": 80, "targetPort": "http"}]
    return [
        resource("Deployment", "apps/v1", "api", spec=deployment),
        resource("Service", "v1", "api", spec={"selector": selector("api")["matchLabels"], "ports": ports}),
        resource("HorizontalPodAutoscaler", "autoscaling/v2", "api", spec=scaler),
        _budget("api"),
        _ingress(),
    ]


def workers(role: str) -> list[Resource]:
    """Return a role's workers.

    A StatefulSet, because a pod's lasting name is the worker's in its consumer group: a restart within the session
    time-out moves no partition. The tables are built again from Kafka when a pod moves.
    """
    main = container(role, ["worker", "--role", role], METRICS_PORT, "/ready", "250m", "512Mi")
    service = {
        "clusterIP": "None",
        "selector": selector(role)["matchLabels"],
        "ports": [{"name": "http", "port": METRICS_PORT}],
    }
    stateful = {
        "serviceName": role,
        "replicas": 2,
        "podManagementPolicy": "Parallel",
        "selector": selector(role),
        "template": pod(role, main),
    }
    return [
        resource("StatefulSet", "apps/v1", role, spec=stateful),
        resource("Service", "v1", role, spec=service),
        _budget(role),
    ]


def ledger() -> list[Resource]:
    """Return the process that keeps the ledger: one, for a second one would only read the log once more.

    Its books go with its pod; a new pod reads the log from its first record.
    """
    main = container("ledger", ["ledger"], LEDGER_PORT, "/metrics", "100m", "512Mi")
    deployment = {
        "replicas": 1,
        "selector": selector("ledger"),
        "strategy": {"type": "Recreate"},
        "template": pod("ledger", main),
    }
    ports = [{"name": "http", "port": LEDGER_PORT}]
    return [
        resource("Deployment", "apps/v1", "ledger", spec=deployment),
        resource("Service", "v1", "ledger", spec={"selector": selector("ledger")["matchLabels"], "ports": ports}),
    ]


def migration() -> Resource:
    """Return the Job that makes topics and tables; safe to run again, and to be deleted before the next release."""
    main = container("migrate", ["migrate", "--wait", "300"], API_PORT, "/health", "100m", "256Mi")
    for probe in ("startupProbe", "readinessProbe", "livenessProbe", "ports"):
        del main[probe]
    template = pod("migrate", main)
    template["spec"]["restartPolicy"] = "OnFailure"
    return resource(
        "Job", "batch/v1", "migrate", spec={"backoffLimit": 6, "ttlSecondsAfterFinished": 3600, "template": template}
    )


def settings() -> Resource:
    """Return the settings that are no secrets: three copies of everything."""
    values = {
        "CHAT4ALL_KAFKA": "kafka-bootstrap:9092",
        "CHAT4ALL_CASSANDRA": "cassandra",
        "CHAT4ALL_REPLICATION_FACTOR": "3",
        "CHAT4ALL_MIN_INSYNC_REPLICAS": "2",
        "CHAT4ALL_CASSANDRA_REPLICATION_FACTOR": "3",
        "CHAT4ALL_PARTITIONS": str(PARTITIONS),
        "CHAT4ALL_FILES": "s3",
        "CHAT4ALL_S3_URL": "http://minio:9000",
        "CHAT4ALL_ACCOUNTS": "/config/accounts.toml",
        "CHAT4ALL_TRUSTED_PROXIES": "10.0.0.0/8",
        "CHAT4ALL_LEDGER_URL": f"http://ledger:{LEDGER_PORT}/metrics",
    }
    return resource("ConfigMap", "v1", "chat4all", data=values)


def network() -> list[Resource]:
    """Return who may talk to our pods: the ingress to the API, the API to the ledger, the monitoring to all metrics."""
    ours = {"matchLabels": {"app.kubernetes.io/name": "chat4all"}}
    ingress = {"namespaceSelector": {"matchLabels": {"chat4all/ingress": "true"}}}
    monitoring = {"namespaceSelector": {"matchLabels": {"chat4all/monitoring": "true"}}}
    metrics = (API_PORT, LEDGER_PORT, METRICS_PORT)
    doors = [
        {"from": [ingress], "ports": [{"protocol": "TCP", "port": API_PORT}]},
        {"from": [monitoring], "ports": [{"protocol": "TCP", "port": port} for port in metrics]},
        {"from": [{"podSelector": selector("api")}], "ports": [{"protocol": "TCP", "port": LEDGER_PORT}]},
    ]
    closed = {"podSelector": ours, "policyTypes": ["Ingress"]}
    return [
        resource("NetworkPolicy", "networking.k8s.io/v1", "closed", spec=closed),
        resource("NetworkPolicy", "networking.k8s.io/v1", "doors", spec={**closed, "ingress": doors}),
    ]


def scaled(role: str) -> Resource:
    """Return KEDA's scaling of a role by its lag, up to one worker for each partition."""
    topic = Topics().outbound(role) if role in CHANNELS else Topics().messages
    trigger = {
        "type": "kafka",
        "metadata": {
            "bootstrapServers": "kafka-bootstrap:9092",
            "consumerGroup": group_of(role),
            "topic": topic,
            "lagThreshold": LAG_OF_A_WORKER,
        },
    }
    spec = {
        "scaleTargetRef": {"kind": "StatefulSet", "name": role},
        "minReplicaCount": 2,
        "maxReplicaCount": PARTITIONS,
        "cooldownPeriod": 600,
        "triggers": [trigger],
    }
    return resource("ScaledObject", "keda.sh/v1alpha1", role, spec=spec)


def _budget(name: str) -> Resource:
    return resource("PodDisruptionBudget", "policy/v1", name, spec={"maxUnavailable": 1, "selector": selector(name)})


def _ingress() -> Resource:
    backend = {"service": {"name": "api", "port": {"name": "http"}}}
    paths = [{"path": each, "pathType": "Exact", "backend": backend} for each in ("/", "/actuator/health")]
    paths += [{"path": each, "pathType": "Prefix", "backend": backend} for each in PREFIXES]
    rule = {"host": "chat.example.org", "http": {"paths": paths}}
    found = resource(
        "Ingress",
        "networking.k8s.io/v1",
        "api",
        spec={"tls": [{"hosts": ["chat.example.org"], "secretName": "chat4all-tls"}], "rules": [rule]},
    )
    found["metadata"]["annotations"] = {
        "nginx.ingress.kubernetes.io/proxy-body-size": "2100m",
        "nginx.ingress.kubernetes.io/proxy-request-buffering": "off",
        "nginx.ingress.kubernetes.io/proxy-read-timeout": "75",
    }
    return found


def base() -> dict[str, list[Resource]]:
    """Return the resources of the base, by file."""
    return {
        "settings.yaml": [settings()],
        "migrate.yaml": [migration()],
        "api.yaml": api(),
        **{f"worker-{role}.yaml": workers(role) for role in ROLES},
        "ledger.yaml": ledger(),
        "network.yaml": network(),
    }


__all__ = ["LABEL", "base", "scaled"]
