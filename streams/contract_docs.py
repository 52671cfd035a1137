"""Documents made from `schemas/`: a JSON Schema for each contract, and one AsyncAPI document for all topics.

`make contracts` writes them; `tests/contract/test_contract_docs.py` fails when they are stale. Nothing is described
here that `schemas` does not say: what is missing in a document is missing in a docstring there.
"""

import inspect
import io
import sys
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct
from ruamel.yaml import YAML

from schemas.codec import EVENT_TYPES
from schemas.topics import TOPICS, TopicSpec

EXAMPLES = Path("schemas/examples")
ASYNCAPI = Path("docs/asyncapi.yaml")
_DRAFT = "https://json-schema.org/draft/2020-12/schema"


def json_schema(contract: type[Struct]) -> dict[str, Any]:
    """The JSON Schema of one contract, its parts under `$defs`."""
    (reference,), parts = msgspec.json.schema_components([contract], ref_template="#/$defs/{name}")
    for part in parts.values():
        if "description" in part:
            # Python 3.13 takes the indentation out of docstrings by itself; a document must not tell who made it.
            part["description"] = inspect.cleandoc(part["description"])
    return {"$schema": _DRAFT, "title": EVENT_TYPES[contract], **reference, "$defs": dict(sorted(parts.items()))}


def asyncapi_document() -> dict[str, Any]:
    """All topics, who writes and who reads them, and the messages in them, as AsyncAPI 3.0."""
    operations: dict[str, Any] = {}
    for topic in TOPICS:
        for action, programs in (("send", topic.producers), ("receive", topic.consumers)):
            for program in programs:
                name = f"{program} {action}s {_channel_id(topic)}".replace(" ", "-")
                operations[name] = {
                    "action": action,
                    "channel": {"$ref": f"#/channels/{_channel_id(topic)}"},
                    "tags": [{"name": program}],
                }
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "Careline",
            "version": "1.0.0",
            "description": "The Kafka topics of Careline. Records are CloudEvents 1.0 in binary mode: attributes in "
            "`ce_*` headers, the value is JSON. Read with isolation level read_committed.",
            "license": {"name": "Apache-2.0"},
        },
        "defaultContentType": "application/json",
        "channels": {_channel_id(topic): _channel(topic) for topic in TOPICS},
        "operations": operations,
        "components": {"messages": {_message_id(contract): _message(contract) for contract in EVENT_TYPES}},
    }


def documents() -> dict[Path, str]:
    """Every generated document by its path from the top of the repository."""
    schemas = {
        EXAMPLES / event_type / "schema.json": msgspec.json.format(msgspec.json.encode(json_schema(contract))).decode()
        + "\n"
        for contract, event_type in EVENT_TYPES.items()
    }
    return {**schemas, ASYNCAPI: _yaml(asyncapi_document())}


def write(root: Path) -> list[Path]:
    """Write every document below `root`; returns those that changed."""
    changed = []
    for path, text in documents().items():
        target = root / path
        if not target.exists() or target.read_text(encoding="utf-8") != text:
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(text, encoding="utf-8")
            changed.append(path)
    return changed


def _channel_id(topic: TopicSpec) -> str:
    return topic.name.removeprefix("careline.").removesuffix(".v1")


def _message_id(contract: type[Struct]) -> str:
    return EVENT_TYPES[contract].removeprefix("careline.").removesuffix(".v1")


def _channel(topic: TopicSpec) -> dict[str, Any]:
    compacted = topic.retention_ms is None
    settings: dict[str, Any] = {"cleanup.policy": ["compact" if compacted else "delete"]}
    if not compacted:
        settings["retention.ms"] = topic.retention_ms
    return {
        "address": topic.name,
        "description": f"{topic.purpose}. Key: {topic.key}."
        + (" Internal: its form may change with any release." if topic.internal else ""),
        "messages": {
            _message_id(one): {"$ref": f"#/components/messages/{_message_id(one)}"} for one in topic.contracts
        },
        "bindings": {"kafka": {"topicConfiguration": settings}},
    }


def _message(contract: type[Struct]) -> dict[str, Any]:
    event_type = EVENT_TYPES[contract]
    text = {"type": "string"}
    return {
        "name": event_type,
        "summary": (contract.__doc__ or "").strip().splitlines()[0],
        "contentType": "application/json",
        "headers": {
            "type": "object",
            "required": ["ce_specversion", "ce_id", "ce_source", "ce_type", "content-type"],
            "properties": {
                "ce_specversion": {"const": "1.0"},
                "ce_id": text,
                "ce_source": text,
                "ce_type": {"const": event_type},
                "ce_time": {"type": "string", "format": "date-time"},
                "content-type": {"const": "application/json"},
                "traceparent": text,
            },
        },
        "payload": {"$ref": f"../{(EXAMPLES / event_type / 'schema.json').as_posix()}"},
    }


def _yaml(document: dict[str, Any]) -> str:
    writer = YAML()
    writer.width = 120
    writer.indent(mapping=2, sequence=4, offset=2)
    writer.representer.ignore_aliases = lambda _data: True
    out = io.StringIO()
    out.write("# Made from schemas/ by `make contracts`; not to be edited by hand.\n")
    writer.dump(document, out)
    return out.getvalue()


def main() -> int:
    """Write the documents of the checkout that is the working directory, and say what changed."""
    root = Path.cwd()
    if not (root / EXAMPLES.parent).is_dir():
        sys.stderr.write(f"There is no folder {EXAMPLES.parent} here: start this at the top of the repository.\n")
        return 2
    for path in write(root):
        sys.stdout.write(f"{path}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
