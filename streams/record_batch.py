"""Kafka's record batch, message format 2, written by ourselves: less than half the work of the clients' builders here.

Two things make it so. The headers of results are the same bytes each time but for the last one's value, the id. And
joining and compressing need no client, so a thread may do it before the client asks. `lane.outbox` fills batches for
aiokafka's producer, which treats them like its own `BatchBuilder`, and `connectors.batch_producer` for kafka-python's;
either knows the producer's id and sequence only when it sends.

The format: kafka.apache.org/documentation/#messageformat.
"""

import struct
import time
from collections.abc import Callable
from functools import lru_cache
from typing import Final, NamedTuple

import cramjam
from crc32c import crc32c

from schemas.codec import Headers

BATCH_BYTES = 4_000_000
"""Half of what our topics take as a record batch (`streams.topic_settings`), so that the largest dead letter fits."""

ZSTD_LEVEL = 1
"""As small as level 3 on our records and a fifth cheaper. LZ4 is a third cheaper still and takes twice the room."""

NO_HEADERS: Final = (b"", b"")

_BATCH_HEAD = struct.Struct(">qiibIhiqqqhii")
_AFTER_LENGTH = struct.calcsize(">qi")
_CRC_AT = struct.calcsize(">qiib")
_AFTER_CRC = _CRC_AT + 4
_FORMAT = 2
_NO_LEADER_EPOCH = -1
_TRANSACTIONAL = 16


class Codec(NamedTuple):
    """How records are compressed: the number by which Kafka knows it, and what does it."""

    number: int
    compress: Callable[[bytes], bytes]


ZSTD = Codec(4, lambda records: bytes(cramjam.zstd.compress(records, level=ZSTD_LEVEL)))


class _Varints(dict[int, bytes]):
    """Numbers as Kafka writes lengths: zigzag, seven bits a byte, the lowest first. Small ones are remembered."""

    def __missing__(self, number: int) -> bytes:
        left = number << 1 if number >= 0 else ~number << 1 | 1
        written = bytearray()
        while left > 0x7F:
            written.append(left & 0x7F | 0x80)
            left >>= 7
        written.append(left)
        if number < 65_536:
            self[number] = bytes(written)
        return bytes(written)


_VARINTS = _Varints()


def header_block(headers: Headers) -> tuple[bytes, bytes]:
    """Headers as they end a record, in two parts: everything before the last header's value, and that value.

    `NO_HEADERS` fits the same mould: the count 0 reads like the length of an empty value.
    """
    if not headers:
        return NO_HEADERS
    block = bytearray(_VARINTS[len(headers)])
    for name, value in headers:
        block += _written_name(name) + _VARINTS[len(value)] + value
    last = headers[-1][1]
    return bytes(block[: len(block) - len(last) - len(_VARINTS[len(last)])]), last


@lru_cache(maxsize=256)
def _written_name(name: str) -> bytes:
    key = name.encode()
    return _VARINTS[len(key)] + key


class RecordBatch:
    """Records for one partition: `append` them, then `finish`; the client's accumulator calls the rest."""

    def __init__(self, *, most_bytes: int = BATCH_BYTES, codec: Codec = ZSTD, transactional: bool = True) -> None:
        self._most_bytes = most_bytes
        self._codec = codec
        self._parts: list[bytes] = []
        self._bytes = 0
        self._count = 0
        self._began_at_ms = time.time_ns() // 1_000_000
        self._attributes = _TRANSACTIONAL if transactional else 0
        self._records = b""
        self._producer = (-1, -1, -1)

    def append(self, key: bytes | None, value: bytes | None, headers: bytes, last: bytes) -> bool:
        """Add a record with its headers (see `header_block`), and say whether there was room for it.

        The first record is always taken: whether it is too large is for the broker to say.
        """
        varints, count = _VARINTS, self._count
        body = b"".join(
            (
                b"\x00\x00",  # no attributes, no time of its own
                varints[count],
                varints[-1 if key is None else len(key)],
                key or b"",
                varints[-1 if value is None else len(value)],
                value or b"",
                headers,
                varints[len(last)],
                last,
            )
        )
        size = self._bytes + len(body)
        if size > self._most_bytes and count:
            return False
        self._bytes = size
        self._count = count + 1
        self._parts += (varints[len(body)], body)
        return True

    def finish(self) -> None:
        """Join and compress. Any thread may do it, once, when nothing is appended any more."""
        self._records = b"".join(self._parts)
        self._parts = []
        compressed = self._codec.compress(self._records)
        if len(compressed) < len(self._records):
            self._attributes |= self._codec.number
            self._records = compressed

    def record_count(self) -> int:
        """So far does the producer's sequence advance."""
        return self._count

    def size(self) -> int:
        """The bytes of the records before they are compressed."""
        return self._bytes

    def close(self) -> None:
        """Nothing to do: nobody appends after `finish`."""

    def closed(self) -> bool:
        """Whether it may be sent without waiting for more."""
        return True

    def _set_producer_state(self, producer_id: int, producer_epoch: int, base_sequence: int) -> None:
        self._producer = (producer_id, producer_epoch, base_sequence)

    def _build(self) -> bytes:
        """The batch on the wire. The broker sets its offset and, by the settings of our topics, its time."""
        at = self._began_at_ms
        length = _BATCH_HEAD.size - _AFTER_LENGTH + len(self._records)
        head = (0, length, _NO_LEADER_EPOCH, _FORMAT, 0, self._attributes, self._count - 1, at, at)
        batch = bytearray(_BATCH_HEAD.pack(*head, *self._producer, self._count) + self._records)
        struct.pack_into(">I", batch, _CRC_AT, crc32c(memoryview(batch)[_AFTER_CRC:]))
        return bytes(batch)
