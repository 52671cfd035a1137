"""A body of one object or a list of them, read item by item: a bad one harms none of its neighbours.

Also what help desks without event ids need: an id that follows from the content.
"""

from collections.abc import Callable, Iterable
from hashlib import blake2b

import msgspec

from streams.connectors.connector_contract import Draft, Ignored, Reading, Refused
from streams.connectors.payload_reading import Json, Malformed, read_json

_encoder = msgspec.json.Encoder(order="deterministic")


def read_items(body: bytes, read_one: Callable[[dict[str, Json]], Reading]) -> Reading:
    """What every object of a body means. `read_one` may raise `Malformed`."""
    content = read_json(body)
    if isinstance(content, Refused):
        return [content]
    if not isinstance(content, list):
        return read_object(content, read_one)
    return [_of_item(reading, item) for item in content for reading in read_object(item, read_one)]


def read_object(item: Json, read_one: Callable[[dict[str, Json]], Reading]) -> Reading:
    """What one object means; a refusal where it is none, or lacks what it cannot do without."""
    if not isinstance(item, dict):
        return [Refused("malformed_payload", "Expected an object - at `$`")]
    try:
        return read_one(item)
    except Malformed as error:
        return [Refused("malformed_payload", str(error))]
    except RecursionError:
        return [Refused("malformed_payload", "nested too deeply - at `$`")]


def content_id(content: Json, leaving_out: Iterable[str] = ()) -> str:
    """An id that is the same for the same content, whatever the order of its keys."""
    if isinstance(content, dict):
        content = {key: value for key, value in content.items() if key not in set(leaving_out)}
    return blake2b(_encoder.encode(content), digest_size=16).hexdigest()


def _of_item(reading: Draft | Ignored | Refused, item: Json) -> Draft | Ignored | Refused:
    """The reading of one item of a list: if it is refused, the dead letter holds the item and not its neighbours."""
    if not isinstance(reading, Refused) or reading.value is not None:
        return reading
    try:
        return Refused(reading.reason, reading.detail, _encoder.encode(item))
    except RecursionError:
        return reading
