"""Knocks at a broker before a client is made: is somebody there, and does it let us in with these settings?

Clients try again for their whole time-out and lose the reason on the way. Here every listener is asked once, and what
is wrong has a name: nobody listens, other protocol, certificate, mechanism, user. Never is anything but the wanted
protocol used: the password is shown to a listener only after its certificate was checked.
"""

import asyncio
import socket
import ssl
import struct
from contextlib import suppress

from streams.kafka_connection import KafkaConnection
from streams.kafka_refusal import (
    KafkaRefused,
    mechanism_refusal,
    no_tls_there,
    only_tls_there,
    refusal_in,
    tls_refusal,
)

_SASL_HANDSHAKE, _VERSION = 17, 1
_TLS_ALERT = b"\x15\x03"
"""How a TLS server begins its answer to whatever is no TLS: the type of the record, and the major version."""
_LONGEST_ANSWER = 10_000


def knock(kafka: KafkaConnection, seconds: float) -> str | None:
    """Why no broker can be reached now, in the system's words; null when one lets us in.

    Raises:
        KafkaRefused: none lets us in, and one that answers refuses.
    """
    try:
        context = kafka.security.tls_context()
    except OSError as error:
        raise KafkaRefused(
            str(kafka),
            f"our own certificates cannot be read any more: {error.strerror or error}",
            "Look at CARELINE_KAFKA_CA_FILE, CARELINE_KAFKA_CERTIFICATE_FILE and CARELINE_KAFKA_KEY_FILE",
        ) from None
    reasons: list[str] = []
    refused: KafkaRefused | None = None
    for address in kafka.addresses:
        try:
            _knock_at(kafka, address, context, seconds)
        except KafkaRefused as refusal:
            refused = refusal
        except ValueError:
            reasons.append(f"{address!r} is not HOST:PORT")
        except OSError as error:
            reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
            reasons.append(reason if len(kafka.addresses) == 1 else f"{address}: {reason}")
        else:
            return None
    if refused is not None:
        raise refused
    return "; ".join(reasons)


def _knock_at(kafka: KafkaConnection, address: str, context: ssl.SSLContext | None, seconds: float) -> None:
    name, _, port = address.rpartition(":")
    place = (name.strip("[]"), int(port))
    with socket.create_connection(place, seconds) as connection:
        if context is None:
            _ask_about_users(kafka, connection)
        else:
            _knock_with_tls(kafka, connection, context, place, seconds)
    if kafka.security.uses_sasl:
        asyncio.run(_log_in(kafka, place, seconds))


def _knock_with_tls(
    kafka: KafkaConnection,
    connection: socket.socket,
    context: ssl.SSLContext,
    place: tuple[str, int],
    seconds: float,
) -> None:
    try:
        with context.wrap_socket(connection, server_hostname=place[0]) as encrypted:
            # Only with the first answer does TLS 1.3 say what the other side has against our certificate.
            _ask_about_users(kafka, encrypted)
    except ssl.SSLError as error:
        refusal = tls_refusal(error, kafka)
        if refusal is not None:
            raise refusal from None
        _look_for_plaintext(kafka, place, seconds)
        raise
    except ConnectionError:
        _look_for_plaintext(kafka, place, seconds)
        raise


def _look_for_plaintext(kafka: KafkaConnection, place: tuple[str, int], seconds: float) -> None:
    """Whether the other side hung up because it speaks no TLS. Nothing is told it but the name of a mechanism."""
    with suppress(OSError), socket.create_connection(place, seconds) as connection:
        if _handshake(connection, "PLAIN") is not None:
            raise no_tls_there(kafka)


def _ask_about_users(kafka: KafkaConnection, connection: socket.socket) -> None:
    answer = _handshake(connection, kafka.security.mechanism or "PLAIN")
    if answer is None and kafka.security.protocol == "PLAINTEXT":
        return  # a broker of another make may not know the question; the client finds out
    if answer is None:
        raise ConnectionResetError("it hung up")
    if answer.startswith(_TLS_ALERT):
        raise only_tls_there(kafka)
    refusal = mechanism_refusal(kafka, *_read_handshake(answer))
    if refusal is not None:
        raise refusal


def _handshake(connection: socket.socket, mechanism: str) -> bytes | None:
    """What a listener answers when it is asked for a mechanism (`SaslHandshake`); null when it hangs up instead."""
    client, asked = b"careline", mechanism.encode()
    header = struct.pack(">hhih", _SASL_HANDSHAKE, _VERSION, 1, len(client)) + client
    request = header + struct.pack(">h", len(asked)) + asked
    connection.sendall(struct.pack(">i", len(request)) + request)
    answer = connection.recv(4)
    if len(answer) < 4 or answer.startswith(_TLS_ALERT):
        return answer or None
    (length,) = struct.unpack(">i", answer)
    while len(answer) < 4 + min(length, _LONGEST_ANSWER):
        more = connection.recv(_LONGEST_ANSWER)
        if not more:
            return None
        answer += more
    return answer


def _read_handshake(answer: bytes) -> tuple[int, list[str]]:
    """The error code of an answer, and the mechanisms in it."""
    try:
        code, count = struct.unpack_from(">hi", answer, 8)
        offered, at = [], 14
        for _ in range(count):
            (length,) = struct.unpack_from(">h", answer, at)
            offered.append(answer[at + 2 : at + 2 + length].decode(errors="replace"))
            at += 2 + length
    except struct.error:
        # Not as Apache Kafka answers; the client that is made next finds out.
        return -1, []
    return code, offered


async def _log_in(kafka: KafkaConnection, place: tuple[str, int], seconds: float) -> None:
    """Show user and password."""
    from aiokafka.conn import create_conn  # noqa: PLC0415 - slow to load, and only who shows a user needs it
    from aiokafka.errors import KafkaError  # noqa: PLC0415 - as above

    milliseconds = int(seconds * 1000)
    try:
        connection = await create_conn(
            *place, client_id="careline-knock", request_timeout_ms=milliseconds, **kafka.for_one_broker()
        )
    except KafkaError as error:
        raise refusal_in(error, kafka) or ConnectionError(str(error)) from None
    await connection.close()
