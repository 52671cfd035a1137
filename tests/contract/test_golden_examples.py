"""Golden messages: every contract has some, and what was written once stays readable.

An example is never changed to make a test pass: it stands for bytes that lie in somebody's topic.
"""

from pathlib import Path

import msgspec
import pytest
from msgspec import Struct

from schemas.codec import EVENT_TYPES, decode, encode
from schemas.topics import TOPICS

EXAMPLES = Path(__file__).resolve().parents[2] / "schemas" / "examples"
CONTRACTS = [pytest.param(contract, id=event_type) for contract, event_type in EVENT_TYPES.items()]


def golden(contract: type[Struct]) -> list[Path]:
    return sorted(path for path in (EXAMPLES / EVENT_TYPES[contract]).glob("*.json") if path.name != "schema.json")


GOLDEN = [
    pytest.param(contract, path, id=f"{path.parent.name}/{path.stem}")
    for contract in EVENT_TYPES
    for path in golden(contract)
]


@pytest.mark.parametrize("contract", CONTRACTS)
def test_every_contract_has_a_golden_example(contract: type[Struct]) -> None:
    assert golden(contract)


def test_every_folder_of_examples_belongs_to_a_contract() -> None:
    assert {path.name for path in EXAMPLES.iterdir() if path.is_dir()} == set(EVENT_TYPES.values())


def test_every_contract_of_a_topic_can_travel() -> None:
    assert {contract for topic in TOPICS for contract in topic.contracts} == set(EVENT_TYPES)


@pytest.mark.parametrize(("contract", "path"), GOLDEN)
def test_an_example_survives_the_round_trip_unchanged(contract: type[Struct], path: Path) -> None:
    message = decode(contract, path.read_bytes())

    assert msgspec.json.decode(encode(message)) == msgspec.json.decode(path.read_bytes())


@pytest.mark.parametrize(("contract", "path"), GOLDEN)
def test_a_reader_of_today_ignores_the_fields_of_tomorrow(contract: type[Struct], path: Path) -> None:
    newer = msgspec.json.decode(path.read_bytes()) | {"a_field_of_tomorrow": {"x": [1, None]}}

    assert decode(contract, msgspec.json.encode(newer)) == decode(contract, path.read_bytes())
