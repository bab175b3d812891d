"""What the chart promises a cluster, by the manifests that helm makes of it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.helm.conftest import CHART, VALUES, Chart, Json

PARTS = ("collector", "worker", "dashboard", "migrate", "gpu-agent", "postgres")


def pods(manifests: list[Json]) -> Iterator[tuple[str, Json]]:
    """The part and the pod's spec of everything that runs."""
    for manifest in manifests:
        template = manifest.get("spec", {}).get("template")
        if template and manifest["kind"] in ("Deployment", "DaemonSet", "StatefulSet", "Job"):
            yield manifest["metadata"]["labels"]["app.kubernetes.io/component"], template["spec"]


def environment(pod: Json) -> Json:
    return {entry["name"]: entry for entry in pod["containers"][0]["env"]}


@pytest.mark.parametrize("values", VALUES, ids=lambda path: path.parent.name + "/" + path.stem)
def test_helm_finds_no_fault_with_any_set_of_values(chart: Chart, values: Path) -> None:
    done = chart.run("lint", str(CHART), "--strict", "--values", str(values))
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("values", VALUES, ids=lambda path: path.parent.name + "/" + path.stem)
def test_every_manifest_is_one_that_kubernetes_takes(
    chart: Chart, complaints: Callable[[Json], list[str]], values: Path
) -> None:
    manifests = chart.manifests(values)
    assert len(manifests) > 5
    assert [complaint for manifest in manifests for complaint in complaints(manifest)] == []


@pytest.mark.parametrize("path", sorted(CHART.glob("examples/*/cluster.yaml")), ids=lambda path: path.parent.name)
def test_every_example_is_one_that_its_operator_takes(complaints: Callable[[Json], list[str]], path: Path) -> None:
    assert complaints(yaml.safe_load(path.read_text())) == []


def test_the_schemas_notice_a_field_that_does_not_exist(complaints: Callable[[Json], list[str]]) -> None:
    service = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "x"}, "spec": {"prots": []}}
    assert any("prots" in complaint for complaint in complaints(service))


def test_a_rendered_release_holds_each_part_once(chart: Chart) -> None:
    manifests = chart.manifests("everything")
    names = [(manifest["kind"], manifest["metadata"]["name"]) for manifest in manifests]
    assert len(set(names)) == len(names)
    assert {part for part, _ in pods(manifests)} == set(PARTS) - {"postgres"}
    assert {part for part, _ in pods(chart.manifests("trial"))} == {"collector", "worker", "migrate", "postgres"}


@pytest.mark.parametrize("values", ["external", "trial", "everything"])
def test_no_pod_runs_as_root_or_can_write_to_its_image(chart: Chart, values: str) -> None:
    for part, pod in pods(chart.manifests(values)):
        assert pod["automountServiceAccountToken"] is False, part
        assert pod["securityContext"]["runAsNonRoot"] is True, part
        assert pod["securityContext"]["runAsUser"] > 0, part
        assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}, part
        for container in pod["containers"]:
            assert container["securityContext"] == {
                "allowPrivilegeEscalation": False,
                "readOnlyRootFilesystem": True,
                "capabilities": {"drop": ["ALL"]},
            }, part
            assert container["resources"]["requests"], part
            assert container["resources"]["limits"]["memory"], part


@pytest.mark.parametrize("values", ["external", "trial", "everything", "login"])
def test_a_secret_is_named_and_never_written(chart: Chart, values: str) -> None:
    manifests = chart.manifests(values)
    assert "Secret" not in {manifest["kind"] for manifest in manifests}
    secret = ("DATABASE_URL", "PASSWORD", "API_KEY", "COOKIE_SECRET", "CLIENT_SECRET")
    for part, pod in pods(manifests):
        for name, entry in environment(pod).items():
            if any(word in name for word in secret) and "postgresql://outlay@outlay-postgres" not in entry.get(
                "value", ""
            ):
                assert "secretKeyRef" in entry["valueFrom"], f"{part}: {name}"


def test_collectors_scale_spread_and_leave_one_by_one(chart: Chart) -> None:
    deployment = chart.one("Deployment", "collector")
    assert "replicas" not in deployment["spec"]  # the autoscaler's business
    scaler = chart.one("HorizontalPodAutoscaler", "collector")["spec"]
    assert (scaler["minReplicas"], scaler["maxReplicas"]) == (2, 10)
    assert chart.one("PodDisruptionBudget", "collector")["spec"]["maxUnavailable"] == 1
    keys = [rule["topologyKey"] for rule in deployment["spec"]["template"]["spec"]["topologySpreadConstraints"]]
    assert keys == ["kubernetes.io/hostname", "topology.kubernetes.io/zone"]
    assert chart.one("Deployment", "collector", "trial")["spec"]["replicas"] == 1


def test_a_collector_gets_traffic_when_it_is_ready_and_drains_before_it_goes(chart: Chart) -> None:
    pod = chart.one("Deployment", "collector")["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    assert container["readinessProbe"]["httpGet"]["path"] == "/readyz"
    assert (
        container["livenessProbe"]["httpGet"]["path"] == "/healthz"
    )  # a database that is away is no reason to restart
    assert container["lifecycle"]["preStop"]["exec"]["command"] == ["sleep", "5"]
    assert pod["terminationGracePeriodSeconds"] > 5 + 8


def test_the_dashboard_keeps_a_reader_in_one_pod_and_lives_below_its_path(chart: Chart) -> None:
    pod = chart.one("Deployment", "dashboard", "everything")["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    assert container["args"][-2:] == ["--base-path", "outlay"]
    assert container["readinessProbe"]["httpGet"]["path"] == "/outlay/_stcore/health"
    assert environment(pod)["STREAMLIT_SERVER_COOKIE_SECRET"]["valueFrom"]["secretKeyRef"]["key"] == "cookie"
    assert chart.one("Service", "dashboard", "everything")["spec"]["sessionAffinity"] == "ClientIP"
    ingress = chart.one("Ingress", "dashboard", "everything")
    assert ingress["metadata"]["annotations"]["nginx.ingress.kubernetes.io/affinity"] == "cookie"
    assert ingress["spec"]["rules"][0]["http"]["paths"][0]["path"] == "/outlay"


def test_with_a_login_the_dashboard_holds_no_key_and_the_collector_knows_whom_to_believe(chart: Chart) -> None:
    dashboard = environment(chart.one("Deployment", "dashboard", "login")["spec"]["template"]["spec"])
    assert "OUTLAY_API_KEY" not in dashboard
    assert dashboard["OUTLAY_OIDC_CLIENT_SECRET"]["valueFrom"]["secretKeyRef"]["name"] == "outlay-login"
    collector = environment(chart.one("Deployment", "collector", "login")["spec"]["template"]["spec"])
    assert collector["OUTLAY_OIDC_AUDIENCE"]["value"] == dashboard["OUTLAY_OIDC_CLIENT_ID"]["value"]
    assert collector["OUTLAY_OIDC_ISSUER"] == dashboard["OUTLAY_OIDC_ISSUER"]


def test_from_outside_only_telemetry_and_the_api_can_be_reached(chart: Chart) -> None:
    paths = chart.one("Ingress", "collector", "everything")["spec"]["rules"][0]["http"]["paths"]
    assert [path["path"] for path in paths] == ["/v1", "/api", "/docs", "/openapi.json"]


def test_the_schema_is_brought_up_before_an_upgrade_and_after_a_trial_has_its_database(chart: Chart) -> None:
    def when(values: str) -> str:
        return chart.one("Job", "migrate", values)["metadata"]["annotations"]["helm.sh/hook"]

    assert when("external") == "pre-install,pre-upgrade"
    assert when("trial") == "post-install,pre-upgrade"


def test_the_gpu_agent_runs_where_there_are_gpus(chart: Chart) -> None:
    pod = chart.one("DaemonSet", "gpu-agent", "everything")["spec"]["template"]["spec"]
    assert pod["nodeSelector"] == {"nvidia.com/gpu.present": "true"}
    assert pod["containers"][0]["command"] == ["python", "-m", "outlay.gpu"]
    assert environment(pod)["OUTLAY_ENDPOINT"]["value"] == "http://outlay-collector:4318"


def test_whatever_is_not_allowed_is_denied(chart: Chart) -> None:
    parts = {
        manifest["metadata"]["labels"]["app.kubernetes.io/component"]: manifest["spec"]
        for manifest in chart.manifests("everything")
        if manifest["kind"] == "NetworkPolicy"
    }
    assert set(parts) == {"collector", "worker", "dashboard", "migrate", "gpu-agent"}
    assert all(policy["policyTypes"] == ["Ingress", "Egress"] for policy in parts.values())
    assert parts["worker"]["ingress"] == []

    def ports(rules: list[Json]) -> set[int]:
        return {port["port"] for rule in rules for port in rule["ports"]}

    assert ports(parts["collector"]["ingress"]) == {4317, 4318}
    assert ports(parts["collector"]["egress"]) == {53, 5432, 443}
    assert ports(parts["gpu-agent"]["egress"]) == {53, 4318}
    assert ports(parts["migrate"]["egress"]) == {53, 5432}


def test_a_digest_pins_the_image(chart: Chart) -> None:
    assert chart.one("Deployment", "worker")["spec"]["template"]["spec"]["containers"][0]["image"] == "outlay:0.1.0"
    pinned = chart.one("Deployment", "worker", "everything")["spec"]["template"]["spec"]["containers"][0]["image"]
    assert pinned.startswith("registry.example.com/outlay@sha256:")


def test_every_alert_on_ourselves_has_a_runbook_that_is_there_and_asks_for_metrics_that_we_have() -> None:
    from outlay_collector.alerts.watch.checks import Vitals
    from outlay_collector.alerts.watch.metrics import page

    ours = page(Vitals(lags={}, ages={}), {"deliveries": {}, "alerts": {}, "disabled": 0})
    (group,) = yaml.safe_load((CHART / "files" / "alerts.yaml").read_text())["groups"]
    for rule in group["rules"]:
        path, _, heading = rule["annotations"]["runbook"].partition("#")
        text = (CHART.parents[1] / path).read_text()
        assert not heading or heading.replace("-", " ") in text.lower(), rule["alert"]
        assert all(name in ours for name in re.findall(r"outlay_\w+", rule["expr"])), rule["alert"]
    board = (CHART / "files" / "grafana.json").read_text()
    assert all(name in ours for name in re.findall(r"outlay_[a-z_]+", board))


REFUSED: dict[str, tuple[dict[str, str], str]] = {
    "two databases": ({"bundledPostgres__enabled": "true"}, "choose one database"),
    "no database": ({"database__existingSecret": ""}, "No database"),
    "a default password": (
        {"database__existingSecret": "", "bundledPostgres__enabled": "true"},
        "there is no default password",
    ),
    "a dashboard without a key": ({"dashboard__apiKey__existingSecret": ""}, "needs an API key"),
    "replicas that refuse each other's cookies": (
        {"dashboard__cookie__existingSecret": ""},
        "refuse those of the others",
    ),
    "a dashboard open to the world": (
        {"ingress__enabled": "true", "ingress__dashboardHost": "cost.example.com"},
        "whoever opens the page",
    ),
    "half a login": ({"login__enabled": "true"}, "login.issuer"),
    "an ingress for nothing": ({"ingress__enabled": "true"}, "without a host"),
    "keys over plain HTTP": (
        {"ingress__enabled": "true", "ingress__collectorHost": "otlp.example.com"},
        "would cross the network readable",
    ),
    "one host for two": (
        {
            "ingress__enabled": "true",
            "ingress__collectorHost": "a.example.com",
            "ingress__dashboardHost": "a.example.com",
            "dashboard__loginInFront": "true",
        },
        "share one host",
    ),
    "bounds the wrong way round": ({"collector__autoscaling__maxReplicas": "1"}, "is below minReplicas"),
    "a base path with a slash": ({"dashboard__basePath": "/outlay"}, "without slashes"),
    "an agent without a key": ({"gpuAgent__enabled": "true"}, "scope ingest"),
    "a secret in the values": (
        {"settings__extraEnv__OUTLAY_DATABASE_URL": "postgresql://u:p@h/d"},
        "name a Secret instead",
    ),
    "root": ({"podSecurity__runAsUser": "0"}, "runAsUser"),
    "a value that does not exist": ({"colector__replicas": "3"}, "colector"),
    "a currency that is none": ({"settings__currency": "dollars"}, "currency"),
    "content kept in a way there is not": ({"settings__content": "all"}, "content"),
}


@pytest.mark.parametrize("settings", REFUSED.values(), ids=REFUSED.keys())
def test_what_cannot_work_is_refused_with_the_reason(chart: Chart, settings: tuple[dict[str, str], str]) -> None:
    values, reason = settings
    assert reason in chart.refusal(**values)


def test_every_value_is_in_the_schema_and_the_other_way_round(chart: Chart) -> None:
    import json

    def names(schema: Json, values: Any, path: str = "") -> Iterator[str]:
        properties = schema.get("properties")
        if not properties:
            return
        for name in properties.keys() ^ (values or {}).keys():
            if (path, name) != ("", "global"):
                yield f"{path}.{name}"
        for name, part in properties.items():
            yield from names(part, (values or {}).get(name), f"{path}.{name}")

    schema = json.loads((CHART / "values.schema.json").read_text())
    different = list(names(schema, yaml.safe_load((CHART / "values.yaml").read_text())))
    assert different == []
