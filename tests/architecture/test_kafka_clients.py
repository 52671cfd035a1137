"""There is one way to Kafka: nobody makes a client but from a `KafkaConnection`, so none can forget TLS or the user."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.architecture.repository_files import ROOT, python_files

CLIENTS = {
    "AIOKafkaAdminClient",
    "AIOKafkaClient",
    "AIOKafkaConsumer",
    "AIOKafkaProducer",
    "KafkaAdminClient",
    "KafkaConsumer",
    "KafkaProducer",
    "LaneApp",
    "create_conn",
}
COMPOSITION = Path("streams/kafka_connection.py")
FAUST = Path("streams/faust_app/batch_consumer.py")
"""Faust's consumer takes brokers and credentials from Faust's own settings, which `faust_options` makes."""


def ways_past(source: str, path: Path) -> Iterator[str]:
    """Clients that are made without a connection, and brokers named by hand."""
    for node in ast.walk(ast.parse(source)):
        line = getattr(node, "lineno", 0)
        if isinstance(node, ast.Call) and _name(node.func) in CLIENTS:
            unpacked = [ast.unparse(each.value) for each in node.keywords if each.arg is None]
            if not any(_is_connection(each) for each in unpacked):
                yield f"{path}:{line}: {_name(node.func)} without a connection"
        by_hand = isinstance(node, ast.keyword) and node.arg in {"bootstrap_servers", "security_protocol", "broker"}
        named = isinstance(node, ast.Constant) and node.value == "bootstrap_servers"
        if (by_hand or named) and path not in {COMPOSITION, FAUST}:
            yield f"{path}:{line}: brokers named by hand"


def _name(called: ast.expr) -> str:
    return called.attr if isinstance(called, ast.Attribute) else called.id if isinstance(called, ast.Name) else ""


def _is_connection(unpacked: str) -> bool:
    """Made of a `KafkaConnection`, or handed on by somebody who was given what is."""
    made = (
        "for_kafka_python()",
        "for_aiokafka()",
        "for_one_broker()",
        "faust_options(",
        "credentials_to_aiokafka_auth(",
    )
    handed_on = ("connection", "reached", "producer_settings(")
    return any(each in unpacked for each in (*made, *handed_on))


def test_every_client_is_made_from_a_connection() -> None:
    found = [
        way
        for path in python_files()
        if path.parts[0] == "streams"
        for way in ways_past((ROOT / path).read_text(encoding="utf-8"), path)
    ]

    assert not found


@pytest.mark.parametrize(
    "planted",
    [
        "KafkaProducer(bootstrap_servers=settings.kafka_servers)",
        "KafkaConsumer(group_id=None)",
        "AIOKafkaConsumer(**{'bootstrap_servers': 'a:1'})",
        "aiokafka.AIOKafkaProducer(*servers, acks='all')",
        "KafkaAdminClient(**kafka.for_kafka_python(), security_protocol='PLAINTEXT')",
    ],
)
def test_a_way_past_it_is_found(planted: str) -> None:
    assert list(ways_past(planted, Path("streams/planted.py")))
