"""Processes that run for ever wait for Kafka again when it goes away between being waited for and being used."""

from collections.abc import Callable
from types import ModuleType

import pytest
from kafka.errors import KafkaConnectionError, KafkaError, TopicAuthorizationFailedError
from typer.testing import CliRunner

from streams.cli import enrich_command, main, sink_commands
from streams.enrich import enrich_process
from streams.kafka_admin import KafkaUnavailable
from streams.sinks import sink_process


class StartedOverError(Exception):
    """Stands for the new process."""


@pytest.mark.parametrize(
    ("command", "shell", "process", "run"),
    [
        ("sink", sink_commands, sink_process, "run_sink"),
        ("enrich", enrich_command, enrich_process, "run_enrich"),
    ],
)
@pytest.mark.parametrize(
    ("error", "starts_over"),
    [
        (KafkaUnavailable("here:9092", "connection reset"), True),
        (KafkaConnectionError("node 2"), True),
        (TopicAuthorizationFailedError("t"), False),
    ],
)
def test_kafka_that_goes_away_at_the_start_is_waited_for(
    monkeypatch: pytest.MonkeyPatch,
    command: str,
    shell: ModuleType,
    process: ModuleType,
    run: str,
    error: Exception | KafkaError,
    *,
    starts_over: bool,
) -> None:
    monkeypatch.setattr(process, run, _raiser(error))
    monkeypatch.setattr(shell, "start_over", _raiser(StartedOverError()))
    monkeypatch.setenv("CARELINE_CLICKHOUSE", "http://127.0.0.1:1/careline")
    monkeypatch.setenv("CARELINE_METRICS_ADDRESS", "127.0.0.1:0")

    told = CliRunner().invoke(main.app, [command])

    assert isinstance(told.exception, StartedOverError) is starts_over, told.output
    assert starts_over or told.exit_code == 1
    assert "Traceback" not in told.output


def _raiser(error: Exception) -> Callable[..., None]:
    def fail(*_: object) -> None:
        raise error

    return fail
