"""A request that tells of many things: each is read by itself, and a bad one harms none of its neighbours."""

from collections.abc import Callable, Iterable

import msgspec

from streams.connectors.connector_contract import Draft, Ignored, Reading, Refused
from streams.connectors.payload_reading import Json, Malformed

_encoder = msgspec.json.Encoder(order="sorted")


def each(things: Iterable[Json], read: Callable[[Json], Reading]) -> list[Draft | Ignored | Refused]:
    """What every one of these things means. The dead letter of a refused one holds it and nothing else."""
    return [_of(reading, thing) for thing in things for reading in whole(thing, read)]


def whole(thing: Json, read: Callable[[Json], Reading]) -> Reading:
    """What one thing means; what is missing in it is the reason why it is refused."""
    try:
        return read(thing)
    except Malformed as error:
        return [Refused("malformed_payload", str(error))]


def _of(reading: Draft | Ignored | Refused, thing: Json) -> Draft | Ignored | Refused:
    if not isinstance(reading, Refused) or reading.value is not None:
        return reading
    try:
        return Refused(reading.reason, reading.detail, _encoder.encode(thing))
    except RecursionError:  # read at the limit of nesting; writing happens a few calls deeper
        return reading
