"""Kubernetes' published schemas judge docker/kubernetes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml

from app.roles import ROLES
from docker.kubernetes.files import files
from web.routes import ROUTES

FOLDER = Path(__file__).parents[2] / "docker" / "kubernetes"
VERSIONS = ("1.29", "1.37")
API_LABELS = {"app.kubernetes.io/name": "chat4all", "app.kubernetes.io/component": "api"}
NOT_OF_KUBERNETES = {"Kustomization", "ScaledObject"}


def resources() -> Iterator[dict[str, Any]]:
    for name in files():
        for document in yaml.safe_load_all((FOLDER / name).read_text()):
            if document["kind"] not in NOT_OF_KUBERNETES:
                yield document


def test_the_files_are_those_of_the_description() -> None:
    for name, text in files().items():
        assert (FOLDER / name).read_text() == text, f"{name}: run python -m docker.kubernetes"


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("each", resources(), ids=lambda each: f"{each['kind']}-{each['metadata']['name']}")
def test_a_resource_is_as_its_schema_says(each: dict[str, Any], version: str) -> None:
    kubernetes_validate.validate(each, version, strict=True)


def test_a_wrong_resource_is_refused() -> None:
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(
            {"apiVersion": "v1", "kind": "Service", "spec": {"prots": []}}, "1.37", strict=True
        )


def test_every_file_of_a_kustomization_is_there() -> None:
    for name in files():
        if name.endswith("kustomization.yaml"):
            folder = (FOLDER / name).parent
            document = yaml.safe_load((FOLDER / name).read_text())
            assert all((folder / each).exists() for each in document["resources"])


def test_every_role_has_its_workers() -> None:
    assert {each["metadata"]["name"] for each in resources() if each["kind"] == "StatefulSet"} == set(ROLES)


def test_the_world_may_ask_every_route_but_those_of_the_metrics() -> None:
    ingress = next(each for each in resources() if each["kind"] == "Ingress")
    paths = ingress["spec"]["rules"][0]["http"]["paths"]
    exact = {each["path"] for each in paths if each["pathType"] == "Exact"}
    prefixes = {each["path"] for each in paths if each["pathType"] == "Prefix"}

    def is_open(path: str) -> bool:
        return path in exact or f"/{path.split('/')[1]}" in prefixes

    assert {route.path for route in ROUTES if not is_open(route.path)} == {"/metrics", "/actuator/prometheus"}


def test_a_pod_stays_in_the_service_while_a_store_is_away() -> None:
    api = next(each for each in resources() if (each["kind"], each["metadata"]["name"]) == ("Deployment", "api"))
    (main,) = api["spec"]["template"]["spec"]["containers"]
    assert main["readinessProbe"]["httpGet"]["path"] == "/health"


def test_one_ledger_is_kept_and_the_api_may_ask_it() -> None:
    made = {(each["kind"], each["metadata"]["name"]): each for each in resources()}
    deployment = made["Deployment", "ledger"]["spec"]
    assert (deployment["replicas"], deployment["strategy"]) == (1, {"type": "Recreate"})
    assert deployment["template"]["spec"]["containers"][0]["args"] == ["ledger"]
    port = made["Service", "ledger"]["spec"]["ports"][0]["port"]
    assert made["ConfigMap", "chat4all"]["data"]["CHAT4ALL_LEDGER_URL"] == f"http://ledger:{port}/metrics"
    doors = made["NetworkPolicy", "doors"]["spec"]["ingress"]
    to_ledger = [door["from"][0] for door in doors if {"protocol": "TCP", "port": port} in door["ports"]]
    assert any("namespaceSelector" in each for each in to_ledger), "Prometheus"
    assert any(each.get("podSelector") == {"matchLabels": API_LABELS} for each in to_ledger)


def test_no_pod_may_do_more_than_it_needs() -> None:
    for each in resources():
        if each["kind"] in ("Deployment", "StatefulSet", "Job"):
            pod = each["spec"]["template"]["spec"]
            assert pod["securityContext"]["runAsNonRoot"]
            assert not pod["automountServiceAccountToken"]
            for container in pod["containers"]:
                assert container["securityContext"]["readOnlyRootFilesystem"]
                assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}
                assert container["resources"]["limits"]["memory"]
