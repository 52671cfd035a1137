"""Mails that want to be much more in memory than on the wire: nothing unfolds, and nobody waits."""

import asyncio
import socket
import time
import tracemalloc

import pytest

from tests.smtp_desk import MAIL, OURS, SENDER, Desk, play
from tests.unit.test_raw_mail import read

LONG_SECONDS = 5.0
"""Twenty times what these take."""

BOMBS = {
    "empty lines": MAIL + b"\r\n" * 2_000_000,
    "one line": MAIL + b"x" * 4_000_000,
    "dots": MAIL + b"..\r\n" * 1_000_000,
    "an archive": MAIL.replace(
        b"\r\n\r\n", b"\r\nContent-Type: application/zip\r\nContent-Transfer-Encoding: base64\r\n\r\n"
    )
    + b"UEsDBBQAAAAIAAAA\r\n" * 220_000,
    "compressed text": MAIL.replace(
        b"\r\n\r\n", b"\r\nContent-Encoding: gzip\r\nContent-Transfer-Encoding: base64\r\n\r\n"
    )
    + b"H4sIAAAAAAAC/+zB\r\n" * 220_000,
    "parts in parts": MAIL.partition(b"\r\n\r\n")[0]
    + b"\r\n"
    + b"".join(b"Content-Type: multipart/mixed; boundary=b%d\r\n\r\n--b%d\r\n" % (level, level) for level in range(40))
    + b"\r\n"
    + b"x" * 70
    + (b"\r\n" + b"x" * 70) * 55_000,
}


@pytest.mark.parametrize("name", sorted(BOMBS))
def test_a_bomb_does_not_unfold(name: str) -> None:
    bomb = BOMBS[name]

    async def scene(desk: Desk) -> None:
        await asyncio.to_thread(desk.send, MAIL)  # whatever is loaded at first use
        desk.published.records.clear()
        tracemalloc.start()
        before, _ = tracemalloc.get_traced_memory()
        sent = asyncio.create_task(asyncio.to_thread(raw_send, desk.port, bomb.replace(b"m-1@", b"m-2@")))
        assert await sent == b"250"
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert peak - before < 8 * len(bomb) + 2_000_000  # and not the number of its lines or levels
        (event,) = desk.published.interactions
        assert len(event.text or "") < 300_000

    play(scene)


def raw_send(port: int, content: bytes) -> bytes:
    """Like smtplib, without the copies that smtplib makes."""
    with socket.create_connection(("127.0.0.1", port), 20) as connection:
        stream = connection.makefile("rb")
        connection.sendall(f"EHLO mx\r\nMAIL FROM:<{SENDER}>\r\nRCPT TO:<{OURS}>\r\nDATA\r\n".encode())
        while not (line := stream.readline()).startswith(b"354"):
            assert line
        connection.sendall(content)
        connection.sendall(b"\r\n.\r\n")
        answer = stream.readline()[:3]
        stream.close()
        return answer


@pytest.mark.parametrize("name", sorted(BOMBS))
def test_others_do_not_wait_long_for_a_bomb(name: str) -> None:
    started = time.monotonic()
    read(BOMBS[name])
    assert time.monotonic() - started < LONG_SECONDS
