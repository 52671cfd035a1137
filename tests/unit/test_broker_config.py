"""What a broker is told, for one node and for three."""

import socket
from pathlib import Path

import pytest

from streams.embedded_kafka.broker_config import (
    BrokerNode,
    cluster_id_of,
    meta_properties,
    new_kafka_id,
    server_properties,
)
from streams.embedded_kafka.broker_probe import answers_as, find_free_port, require_free
from streams.embedded_kafka.broker_process import start_error
from streams.embedded_kafka.embedded_errors import (
    BrokerStartError,
    EmbeddedKafkaError,
    FolderInUseError,
    NoSpaceError,
    PortTakenError,
)

THREE = tuple(BrokerNode(number, 19090 + number, 19190 + number) for number in (1, 2, 3))


def _settings(text: str) -> dict[str, str]:
    return dict(line.split("=", 1) for line in text.splitlines())


def test_one_broker_is_its_own_controller_on_loopback_and_keeps_one_copy() -> None:
    settings = _settings(server_properties(THREE[0], THREE[:1], Path("/data")))
    assert settings["listeners"] == "PLAINTEXT://127.0.0.1:19091,CONTROLLER://127.0.0.1:19191"
    assert settings["advertised.listeners"] == "PLAINTEXT://127.0.0.1:19091"
    assert settings["controller.quorum.voters"] == "1@127.0.0.1:19191"
    assert settings["log.dirs"] == "/data"
    assert settings["auto.create.topics.enable"] == "false"
    assert {value for name, value in settings.items() if name.endswith((".replication.factor", ".isr"))} == {"1"}
    assert not [name for name in settings if "timestamp" in name]  # decided per topic


def test_three_brokers_vote_together_and_lose_nothing_with_one() -> None:
    settings = [_settings(server_properties(node, THREE, Path(f"/data{node.node_id}"))) for node in THREE]
    voters = "1@127.0.0.1:19191,2@127.0.0.1:19192,3@127.0.0.1:19193"
    assert [one["controller.quorum.voters"] for one in settings] == [voters] * 3
    assert [one["node.id"] for one in settings] == ["1", "2", "3"]
    assert len({one["listeners"] for one in settings}) == 3
    for one in settings:
        assert (one["transaction.state.log.replication.factor"], one["transaction.state.log.min.isr"]) == ("3", "2")


def test_a_backslash_in_a_path_survives_javas_properties() -> None:
    assert _settings(server_properties(THREE[0], THREE[:1], Path("/a\\b")))["log.dirs"] == "/a\\\\b"


def test_the_cluster_id_is_read_back() -> None:
    cluster_id = new_kafka_id()
    assert len(cluster_id) == 22
    assert cluster_id_of(meta_properties(cluster_id, 1)) == cluster_id
    assert cluster_id_of("version=1\ncluster.id=\n") is None


def test_a_taken_port_is_told_before_anything_is_started() -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        with pytest.raises(PortTakenError, match=f"Port {port} .* another program listens"):
            require_free(port)
        assert find_free_port() != port
    require_free(port)


def test_nobody_and_a_stranger_are_not_our_broker() -> None:
    with socket.create_server(("127.0.0.1", 0)) as stranger:
        port = stranger.getsockname()[1]
        assert not answers_as(port, "cluster", timeout=0.05)
    assert not answers_as(port, "cluster")


@pytest.mark.parametrize(
    ("tail", "kind"),
    [
        ("java.net.BindException: Address already in use", PortTakenError),
        ("org.apache.kafka.common.KafkaException: Failed to acquire lock on file .lock in /data", FolderInUseError),
        ("java.io.IOException: No space left on device", NoSpaceError),
        ("java.lang.OutOfMemoryError: Java heap space", BrokerStartError),
    ],
)
def test_what_the_broker_says_last_becomes_a_cause_and_a_way_out(tail: str, kind: type[EmbeddedKafkaError]) -> None:
    error = start_error(Path("/run/broker.log"), tail, "Kafka ended")
    assert type(error) is kind
    assert error.cause
    assert error.way_out
