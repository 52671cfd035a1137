"""What stands in `deploy/` and docker-compose.yml speaks of things that exist: metrics, ports, settings, files."""

import json
import re
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from streams.settings import Settings
from streams.sinks.metric_names import METRIC_SPECS, series_of
from streams.sinks.migrations_runner import migrations_folder, read_migrations
from tests.architecture.repository_files import ROOT

DEPLOY = ROOT / "deploy"
DASHBOARDS = sorted((DEPLOY / "grafana" / "dashboards").glob("*.json"))
RULES = DEPLOY / "prometheus" / "careline_rules.yml"
EXAMPLE_SECRETS = DEPLOY / "compose.env.example"


def yaml_of(path: Path) -> Any:
    return YAML(typ="safe").load(path.read_text(encoding="utf-8"))


def rules() -> list[dict[str, Any]]:
    return [rule for group in yaml_of(RULES)["groups"] for rule in group["rules"]]


def panels(path: Path) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(path.read_text(encoding="utf-8"))["panels"]
    return found


def expressions() -> Iterator[tuple[str, str]]:
    for rule in rules():
        yield rule.get("alert") or rule["record"], rule["expr"]
    for path in DASHBOARDS:
        for panel in panels(path):
            for target in panel["targets"]:
                if "expr" in target:
                    yield f"{path.stem}: {panel['title']}", target["expr"]


@pytest.mark.parametrize(("place", "expression"), list(expressions()), ids=lambda value: value[:60])
def test_expression_names_exported_metrics_only(place: str, expression: str) -> None:
    known = {series for spec in METRIC_SPECS for series in series_of(spec)} | {rule.get("record") for rule in rules()}
    named = {name for name in re.findall(r"[A-Za-z_:][\w:]*", expression) if "careline_" in name}
    assert named or "up{" in expression
    assert named <= known, place


def test_every_alert_says_how_grave_it_is_and_what_to_do() -> None:
    for rule in rules():
        if "alert" in rule:
            assert rule["labels"]["severity"] in {"critical", "warning"}
            assert rule["annotations"].keys() >= {"summary", "action"}


def test_every_alert_has_a_test() -> None:
    tests = yaml_of(DEPLOY / "prometheus" / "careline_rules_test.yml")["tests"]
    tested = {each["alertname"] for test in tests for each in test.get("alert_rule_test", []) if each["exp_alerts"]}
    assert tested == {rule["alert"] for rule in rules() if "alert" in rule}


@pytest.mark.parametrize("path", DASHBOARDS, ids=lambda path: path.stem)
def test_dashboard_asks_its_questions_of_known_sources(path: Path) -> None:
    sources = yaml_of(DEPLOY / "grafana" / "provisioning" / "datasources" / "careline.yaml")["datasources"]
    uids = {source["uid"]: source["type"] for source in sources}
    for panel in panels(path):
        assert panel["description"].endswith("?"), panel["title"]
        for target in panel["targets"]:
            assert uids[target["datasource"]["uid"]] == target["datasource"]["type"]
    assert len({panel["id"] for panel in panels(path)}) == len(panels(path))


def test_dashboards_have_uids_of_their_own() -> None:
    uids = [json.loads(path.read_text(encoding="utf-8"))["uid"] for path in DASHBOARDS]
    assert len(set(uids)) == len(uids) > 0


def compose() -> dict[str, Any]:
    services: dict[str, Any] = yaml_of(ROOT / "docker-compose.yml")["services"]
    return services


def test_compose_publishes_on_loopback_only() -> None:
    ports = [port for service in compose().values() for port in service.get("ports", [])]
    assert ports
    assert [port for port in ports if not port.startswith("127.0.0.1:")] == []


def test_compose_sets_settings_that_exist_and_keeps_secrets_out() -> None:
    known = {setting.metadata["variable"] for setting in fields(Settings)} | {"CARELINE_GRAFANA_PASSWORD"}
    for service in compose().values():
        for name, value in service.get("environment", {}).items():
            if name.startswith("CARELINE_"):
                assert name in known
            if re.search(r"PASSWORD|SECRET", name):
                assert str(value).startswith("${")


def test_compose_mounts_files_that_exist() -> None:
    mounts = [mount for service in compose().values() for mount in service.get("volumes", []) if mount.startswith("./")]
    assert mounts
    assert [mount for mount in mounts if not (ROOT / mount.partition(":")[0]).exists()] == []


def test_prometheus_scrapes_every_process_of_careline() -> None:
    jobs = {job["job_name"]: job for job in yaml_of(DEPLOY / "prometheus" / "prometheus.yml")["scrape_configs"]}
    (names,) = jobs["careline"]["dns_sd_configs"]
    running = {name for name, service in compose().items() if service.get("image") == "careline"} - {"init"}
    assert set(names["names"]) == running
    assert f":{names['port']}" in (DEPLOY / "Dockerfile").read_text(encoding="utf-8")


def test_migrations_are_found_in_the_repository() -> None:
    assert migrations_folder() == DEPLOY / "clickhouse"
    assert read_migrations(migrations_folder())


@pytest.mark.tools
def test_promtool_accepts_configuration_and_rules(tool: Callable[[str], str]) -> None:
    promtool = tool("promtool")
    folder = DEPLOY / "prometheus"
    for command in (["check", "config", "prometheus.yml"], ["test", "rules", "careline_rules_test.yml"]):
        run = subprocess.run([promtool, *command], cwd=folder, capture_output=True, text=True, timeout=60, check=False)
        assert run.returncode == 0, run.stdout + run.stderr


@pytest.mark.tools
def test_docker_compose_accepts_the_file(tool: Callable[[str], str]) -> None:
    command = [tool("docker-compose"), "--env-file", str(EXAMPLE_SECRETS), "config", "--quiet"]
    run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
    assert run.returncode == 0, run.stdout + run.stderr
