"""What Prometheus sees: names by convention, bounded series that are there from the start, a server that says where."""

import inspect
import re
import urllib.request

import pytest
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.parser import text_string_to_metric_families

from streams.sinks.metric_names import METRIC_SPECS, MetricSpec, series_of
from streams.sinks.metrics_server import MetricsAddressError, start_metrics_server
from streams.sinks.prometheus_metrics import MOST_CONNECTORS, PrometheusRecorder
from streams.sinks.recorder import Recorder


@pytest.fixture
def registry() -> CollectorRegistry:
    return CollectorRegistry()


@pytest.fixture
def recorder(registry: CollectorRegistry) -> PrometheusRecorder:
    return PrometheusRecorder(registry, version="1.2.3")


def sample(registry: CollectorRegistry, name: str, **labels: str) -> float | None:
    return registry.get_sample_value(name, labels)


@pytest.mark.parametrize("spec", METRIC_SPECS, ids=lambda spec: spec.name)
def test_name_follows_the_conventions(spec: MetricSpec) -> None:
    assert re.fullmatch(r"careline_[a-z_]+", spec.name)
    assert spec.name.endswith("_total") == (spec.kind == "counter")
    assert not re.search(r"_(ms|milliseconds|minutes|percent)(_|$)", spec.name)
    assert not {"account", "account_id", "conversation", "agent", "author"} & set(spec.labels)
    assert spec.meaning


def test_every_declared_metric_is_made_and_no_other(registry: CollectorRegistry, recorder: PrometheusRecorder) -> None:
    made = {family.name for family in registry.collect()}
    assert made == {spec.name.removesuffix("_total") for spec in METRIC_SPECS}


def test_the_counting_recorder_leaves_no_method_out() -> None:
    declared = {name for name, method in vars(Recorder).items() if inspect.isfunction(method)}
    assert declared <= set(vars(PrometheusRecorder))


def test_what_alerts_look_at_is_zero_before_anything_happens(
    registry: CollectorRegistry, recorder: PrometheusRecorder
) -> None:
    assert sample(registry, "careline_events_judged_total", stage="account", result="late") == 0
    assert sample(registry, "careline_rejected_total", stage="connect", reason="not_json") == 0
    outcome = {"metric": "first_response", "outcome": "breached", "channel": "other", "priority": "none"}
    assert sample(registry, "careline_sla_outcomes_total", **outcome) == 0


def test_first_outcome_of_a_channel_brings_its_siblings_at_zero(
    registry: CollectorRegistry, recorder: PrometheusRecorder
) -> None:
    recorder.outcome("first_response", "met", "email", "high")
    labels = {"metric": "first_response", "channel": "email", "priority": "high"}
    assert sample(registry, "careline_sla_outcomes_total", outcome="met", **labels) == 1
    assert sample(registry, "careline_sla_outcomes_total", outcome="breached", **labels) == 0


def test_unknown_label_values_share_a_series(registry: CollectorRegistry, recorder: PrometheusRecorder) -> None:
    for number in range(1000):
        recorder.outcome(f"clock {number}", "met", f"channel {number}", f"P{number}")
        recorder.connector_answered(f"path-{number}", 202, "accepted")
        recorder.source_heard(f"import:{number}", 1.0)
        recorder.tick_applied(f"simulation:{number}")
    outcome = {"metric": "custom", "outcome": "met", "channel": "other", "priority": "other"}
    assert sample(registry, "careline_sla_outcomes_total", **outcome) == 1000
    answers = {"connector": "other", "status": "202", "reason": "accepted"}
    assert sample(registry, "careline_connector_answers_total", **answers) == 1000 - MOST_CONNECTORS
    assert sample(registry, "careline_ticks_total", clock="simulation") == 1000
    assert len(generate_latest(registry).splitlines()) < 1000


def test_edge_at_one_counts_kept_promises_exactly(registry: CollectorRegistry, recorder: PrometheusRecorder) -> None:
    for ratio in (0.2, 1.0, 1.0000001, 4.0):
        recorder.target_used("first_response", None, ratio)
    labels = {"metric": "first_response", "priority": "none"}
    assert sample(registry, "careline_target_used_ratio_bucket", le="1.0", **labels) == 2
    assert sample(registry, "careline_target_used_ratio_count", **labels) == 4


def test_released_partition_has_no_lag(registry: CollectorRegistry, recorder: PrometheusRecorder) -> None:
    labels = {"consumer": "sink", "topic": "careline.alerts.v1", "partition": "3"}
    recorder.lag("sink", "careline.alerts.v1", 3, 17)
    assert sample(registry, "careline_consumer_lag_records", **labels) == 17
    recorder.partition_released("sink", "careline.alerts.v1", 3)
    assert sample(registry, "careline_consumer_lag_records", **labels) is None


def test_server_shows_the_registry_and_frees_its_port(
    registry: CollectorRegistry, recorder: PrometheusRecorder
) -> None:
    recorder.batch_committed("conversation", 250, 0.02)
    with start_metrics_server("127.0.0.1:0", registry) as server:
        with urllib.request.urlopen(server.url, timeout=5) as answer:
            text = answer.read().decode()
        with pytest.raises(MetricsAddressError, match="in use by another process"):
            start_metrics_server(server.address, registry)
        address = server.address
    shown = {sample.name for family in text_string_to_metric_families(text) for sample in family.samples}
    assert "careline_batch_records_bucket" in shown
    assert shown <= {name for spec in METRIC_SPECS for name in series_of(spec)}
    start_metrics_server(address, registry).close()


@pytest.mark.parametrize("address", ["9108", "localhost", "127.0.0.1:http", "127.0.0.1:70000"])
def test_unreadable_address_is_explained(address: str, registry: CollectorRegistry) -> None:
    with pytest.raises(MetricsAddressError, match=r"is not host:port|at most 65535"):
        start_metrics_server(address, registry)
