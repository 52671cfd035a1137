"""Asks a port, in Kafka's own protocol, whether our broker answers there; and finds ports that are free.

`broker_process` waits with it. A client library would bring back-off and caches of its own between the question and the
answer; one request and one answer need twenty lines.
"""

import secrets
import socket
import struct

from streams.embedded_kafka.broker_config import HOST
from streams.embedded_kafka.embedded_errors import PortTakenError

METADATA, METADATA_VERSION = 3, 9  # version 9 is the first flexible one, and the cluster id is plain text in it
BROKER_COUNT_AT = 9  # correlation id 4, tags 1, throttle 4: then the number of brokers, plus one
CLIENT = b"careline"
# Below the range that systems hand out for outgoing connections (from 32768 on Linux, 49152 on macOS), so that no
# client can be given the port between our look and the broker's bind.
LOWEST_PORT, HIGHEST_PORT = 20_000, 32_000
TRIES = 200


def answers_as(port: int, cluster_id: str, timeout: float = 5.0) -> bool:
    """Whether a broker of exactly this cluster answers a Metadata request and knows at least one broker.

    A foreign broker on the port has another cluster id and does not pass.
    """
    no_topics = b"\1\0\0\0\0"  # empty compact array, no auto-creation, no authorised operations, no tags
    header = struct.pack(">hhih", METADATA, METADATA_VERSION, 1, len(CLIENT)) + CLIENT + b"\0"
    request = header + no_topics
    try:
        with socket.create_connection((HOST, port), timeout) as connection, connection.makefile("rb") as stream:
            connection.sendall(struct.pack(">i", len(request)) + request)
            (length,) = struct.unpack(">i", stream.read(4))
            answer = stream.read(length)
    except (OSError, struct.error):
        return False
    complete = len(answer) == length and length > BROKER_COUNT_AT
    return complete and answer[BROKER_COUNT_AT] > 1 and cluster_id.encode() in answer


def is_free(port: int) -> bool:
    """Whether a server could bind the port on loopback now."""
    with socket.socket() as trial:
        trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            trial.bind((HOST, port))
        except OSError:
            return False
    return True


def require_free(port: int) -> None:
    """Raise `PortTakenError` when the port cannot be bound."""
    if not is_free(port):
        raise PortTakenError(
            f"Port {port} on {HOST} cannot be used: another program listens there",
            "Choose another port, or none so that a free one is taken, or stop the other program",
        )


def find_free_port() -> int:
    """A port that is free now; another program may still take it, so the caller retries with a new one."""
    for _ in range(TRIES):
        port = LOWEST_PORT + secrets.randbelow(HIGHEST_PORT - LOWEST_PORT)
        if is_free(port):
            return port
    raise PortTakenError(f"No free port between {LOWEST_PORT} and {HIGHEST_PORT}", "Stop programs that listen there")
