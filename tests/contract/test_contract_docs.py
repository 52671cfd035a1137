"""The generated documents are those of today's contracts, and they hang together."""

from pathlib import Path
from typing import Any

import pytest

from schemas.codec import EVENT_TYPES, result_headers
from schemas.topics import TOPICS
from streams.contract_docs import asyncapi_document, documents, json_schema, write

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize("path", documents(), ids=str)
def test_a_document_is_current(path: Path) -> None:
    assert (ROOT / path).read_text(encoding="utf-8") == documents()[path], "stale: run `make contracts`"


def references(node: Any) -> list[str]:
    if isinstance(node, dict):
        own = [node["$ref"]] if isinstance(node.get("$ref"), str) else []
        return own + [found for child in node.values() for found in references(child)]
    if isinstance(node, (list, tuple)):
        return [found for child in node for found in references(child)]
    return []


def test_every_reference_inside_the_asyncapi_document_leads_somewhere() -> None:
    document = asyncapi_document()

    for reference in references(document):
        if not reference.startswith("#"):
            assert (ROOT / "docs" / reference).is_file(), reference
            continue
        place: Any = document
        for step in reference.removeprefix("#/").split("/"):
            place = place[step]


def test_every_reference_inside_a_schema_leads_somewhere() -> None:
    for contract in EVENT_TYPES:
        schema = json_schema(contract)
        assert {found.removeprefix("#/$defs/") for found in references(schema)} <= set(schema["$defs"])


def test_the_document_shows_every_topic_with_its_producers_and_consumers() -> None:
    document = asyncapi_document()

    assert {channel["address"] for channel in document["channels"].values()} == {topic.name for topic in TOPICS}
    assert len(document["operations"]) == sum(len(topic.producers) + len(topic.consumers) for topic in TOPICS)


def test_the_headers_that_are_promised_are_those_that_every_result_has() -> None:
    messages = asyncapi_document()["components"]["messages"].values()

    promised = {message["name"]: set(message["headers"]["required"]) for message in messages}
    assert promised == {
        event_type: {name for name, _ in result_headers(contract, "a source", "an id")}
        for contract, event_type in EVENT_TYPES.items()
    }


def test_writing_twice_changes_nothing_the_second_time(tmp_path: Path) -> None:
    assert set(write(tmp_path)) == set(documents())
    assert write(tmp_path) == []
