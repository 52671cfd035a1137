"""Mail by SMTP and LMTP, from real clients: 250 only for what Kafka has, and nothing that comes in is too much."""

import asyncio
import smtplib
import socket
import ssl
import sys
from pathlib import Path
from typing import Any

import pytest

from streams.connectors import mail as mail_room
from streams.connectors.connector_contract import Instance
from streams.connectors.mail import smtp_session
from streams.connectors.mail.smtp_listener import SmtpListener
from tests.smtp_desk import MAIL, NOW, OTHER, OURS, SENDER, Desk, play
from tests.tls_certificate import write_certificate


def test_a_mail_is_taken_once_kafka_has_it() -> None:
    async def scene(desk: Desk) -> None:
        assert await asyncio.to_thread(desk.send) == {}
        (event,) = desk.published.interactions
        assert (event.id, event.text) == ("m-1@acme.example", "It is broken\n..")
        assert (event.inbox, event.author.id, event.direction) == (OURS, SENDER, "inbound")
        assert event.received_at == NOW
        assert desk.counted == {(250, "accepted"): 1}

    play(scene)


def test_while_kafka_is_away_the_sender_keeps_it() -> None:
    async def scene(desk: Desk) -> None:
        desk.published.broken = True
        with pytest.raises(smtplib.SMTPDataError) as refused:
            await asyncio.to_thread(desk.send)
        assert refused.value.smtp_code == 451
        desk.published.broken = False
        await asyncio.to_thread(desk.send)
        await asyncio.to_thread(desk.send)
        assert [event.id for event in desk.published.interactions] == ["m-1@acme.example"]
        assert desk.counted == {(451, "kafka_not_taking"): 1, (250, "accepted"): 1, (250, "repeated"): 1}

    play(scene)


def test_the_address_for_copies_is_no_recipient() -> None:
    among_us = MAIL.replace(b"ada@acme.example", b"bob@ours.example").replace(b"Undisclosed:;", b"sales@ours.example")

    async def scene(desk: Desk) -> None:
        await asyncio.to_thread(desk.send, among_us, "careline@careline.invalid")
        (event,) = desk.published.interactions
        assert (event.author.kind, event.visibility, event.account_hint) == ("agent", "internal", None)

    play(scene)


def test_a_blind_copy_is_known_by_its_envelope() -> None:
    async def scene(desk: Desk) -> None:
        await asyncio.to_thread(desk.send, MAIL, "help+7@ours.example", OTHER)
        (event,) = desk.published.interactions
        assert event.inbox == "help+7@ours.example"

    play(scene)


def test_until_the_accounts_are_read_the_sender_keeps_it() -> None:
    async def scene(desk: Desk) -> None:
        with pytest.raises(smtplib.SMTPDataError):
            await asyncio.to_thread(desk.send)
        assert desk.counted == {(451, "accounts_not_read"): 1}

    play(scene, unready="accounts_not_read")


def test_a_mail_without_a_header_is_known_by_its_envelope() -> None:
    async def scene(desk: Desk) -> None:
        await asyncio.to_thread(desk.send, b"It is broken\r\nagain")
        (event,) = desk.published.interactions
        assert (event.author.id, event.inbox, event.text) == (SENDER, OURS, "It is broken\nagain")
        assert event.occurred_at <= NOW

    play(scene)


@pytest.mark.parametrize("says_its_size", [True, False])
def test_a_mail_that_is_too_large_is_refused(says_its_size: bool) -> None:
    def send(desk: Desk) -> int:
        with desk.client() as client:
            client.ehlo()
            if not says_its_size:
                client.esmtp_features.pop("size")
            try:
                client.sendmail(SENDER, [OURS], MAIL + b"x" * 200_000)
            except smtplib.SMTPSenderRefused as refused:
                return refused.smtp_code
            except smtplib.SMTPDataError as refused:
                # The connection is as good as before.
                assert client.sendmail(SENDER, [OURS], MAIL) == {}
                return refused.smtp_code
        return 0

    async def scene(desk: Desk) -> None:
        assert await asyncio.to_thread(send, desk) == 552
        assert desk.listener.held_bytes == 0

    play(scene, largest_bytes="100000")


def test_lmtp_answers_for_each_recipient() -> None:
    def send(desk: Desk) -> list[bytes]:
        with socket.create_connection(("127.0.0.1", desk.port), 20) as connection:
            stream = connection.makefile("rwb")
            for line in (b"LHLO mx", b"MAIL FROM:<>", f"RCPT TO:<{OURS}>".encode(), f"RCPT TO:<{OTHER}>".encode()):
                stream.write(line + b"\r\n")
            stream.write(b"DATA\r\n")
            stream.flush()
            while not (line := stream.readline()).startswith(b"354"):
                assert line
            stream.write(MAIL + b".\r\nQUIT\r\n")
            stream.flush()
            return [line[:3] for line in stream]

    async def scene(desk: Desk) -> None:
        assert await asyncio.to_thread(send, desk) == [b"250", b"250", b"221"]
        (event,) = desk.published.interactions
        assert event.automated == "auto_reply"  # the null sender wants no answer
        desk.published.broken = True
        assert await asyncio.to_thread(send, desk) == [b"250", b"250", b"221"]  # it is known to be there

    play(scene, protocol="lmtp")


def test_smtplib_speaks_lmtp_too() -> None:
    def send(desk: Desk) -> None:
        with smtplib.LMTP("127.0.0.1", desk.port) as client:
            assert client.sendmail(SENDER, [OURS], MAIL) == {}  # it hears one answer only

    async def scene(desk: Desk) -> None:
        await asyncio.to_thread(send, desk)
        assert desk.listener.addresses[0].startswith("lmtp://127.0.0.1:")

    play(scene, protocol="lmtp")


def test_a_certificate_makes_tls_compulsory(tmp_path: Path) -> None:
    files = write_certificate(tmp_path)

    def send(desk: Desk) -> None:
        with pytest.raises(smtplib.SMTPSenderRefused) as refused:
            desk.send()
        assert refused.value.smtp_code == 530
        with desk.client() as client:
            client.starttls(context=ssl.create_default_context(cafile=files.certificate))
            assert client.sendmail(SENDER, [OURS], MAIL) == {}

    async def scene(desk: Desk) -> None:
        await asyncio.to_thread(send, desk)
        assert desk.counted == {(530, "no_tls"): 1, (250, "accepted"): 1}

    play(scene, certificate=files.certificate, private_key=files.private_key)


def test_whoever_must_prove_himself() -> None:
    def send(desk: Desk) -> None:
        with desk.client() as client, pytest.raises(smtplib.SMTPSenderRefused):
            client.sendmail(SENDER, [OURS], MAIL)
        for password in ("last year's", "this year's"):
            with desk.client() as client:
                client.login("postfix", password)
                assert client.sendmail(SENDER, [OURS], MAIL) == {}
        with desk.client() as client, pytest.raises(smtplib.SMTPAuthenticationError):
            client.login("postfix", "somebody's")
        with desk.client() as client, pytest.raises(smtplib.SMTPAuthenticationError):
            client.login("sendmail", "this year's")

    async def scene(desk: Desk) -> None:
        await asyncio.to_thread(send, desk)
        assert desk.counted[250, "accepted"] == 1
        assert desk.counted[535, "bad_token"] >= 2

    play(scene, "last year's", "this year's", user="postfix")


def test_peers_are_those_that_may_send() -> None:
    async def scene(desk: Desk) -> None:
        with pytest.raises(smtplib.SMTPConnectError) as refused:
            await asyncio.to_thread(desk.send)
        assert refused.value.smtp_code == 554
        assert desk.counted == {(554, "bad_origin"): 1}

    play(scene, peers="192.0.2.0/24, 2001:db8::/32")


@pytest.mark.parametrize(
    ("peers", "host", "admitted"),
    [
        ("10.0.0.0/8", "10.1.2.3", True),
        ("10.0.0.0/8", "::ffff:10.1.2.3", True),
        ("10.0.0.0/8", "11.1.2.3", False),
        ("2001:db8::/32", "2001:db8::1", True),
        ("192.0.2.7", "192.0.2.7", True),
        ("192.0.2.7", "", False),
        ("", "192.0.2.7", True),
    ],
)
def test_networks(peers: str, host: str, admitted: bool) -> None:
    assert Desk(peers=peers).listener.admits(host) is admitted


def test_connections_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(smtp_session, "MOST_CONNECTIONS", 2)

    def connect(desk: Desk) -> int:
        with desk.client(), desk.client(), pytest.raises(smtplib.SMTPConnectError) as refused:
            desk.client()
        return refused.value.smtp_code

    async def scene(desk: Desk) -> None:
        assert await asyncio.to_thread(connect, desk) == 421
        async with asyncio.timeout(10):
            while desk.listener.sessions:  # noqa: ASYNC110 - the other side has only just hung up
                await asyncio.sleep(0.01)
        await asyncio.to_thread(desk.send)

    play(scene)


def test_bytes_that_are_held_are_bounded() -> None:
    def send(desk: Desk) -> int:
        with pytest.raises(smtplib.SMTPDataError) as refused:
            desk.send(MAIL + b"x" * 60_000)
        return refused.value.smtp_code

    async def scene(desk: Desk) -> None:
        desk.listener.held_bytes = 250_000
        assert await asyncio.to_thread(send, desk) == 451
        assert desk.counted == {(451, "overloaded"): 1}
        assert desk.listener.held_bytes == 250_000
        desk.listener.held_bytes = 300_000
        assert await asyncio.to_thread(send, desk) == 451
        desk.listener.held_bytes = 0

    play(scene, largest_bytes="100000")


def test_a_mail_in_progress_has_its_answer_before_the_end() -> None:
    def begin(desk: Desk) -> Any:
        connection = socket.create_connection(("127.0.0.1", desk.port), 20)
        stream = connection.makefile("rwb")
        stream.write(f"EHLO mx\r\nMAIL FROM:<{SENDER}>\r\nRCPT TO:<{OURS}>\r\nDATA\r\n".encode() + MAIL)
        stream.flush()
        while not (line := stream.readline()).startswith(b"354"):
            assert line
        return connection, stream

    def end(stream: Any) -> list[bytes]:
        stream.write(b".\r\n")
        stream.flush()
        return [line[:3] for line in stream]

    async def scene(desk: Desk) -> None:
        idle = await asyncio.to_thread(desk.client)
        connection, stream = await asyncio.to_thread(begin, desk)
        drained = asyncio.create_task(desk.runner.drain())
        await asyncio.sleep(0.1)
        assert not drained.done()
        assert await asyncio.to_thread(end, stream) == [b"250", b"421"]
        await drained
        assert await asyncio.to_thread(idle.docmd, "NOOP") == (421, b"4.3.2 Shutting down; come again")
        idle.close()
        stream.close()
        connection.close()
        assert len(desk.published.interactions) == 1

    play(scene)


def test_whoever_hangs_up_in_the_middle_leaves_nothing_behind() -> None:
    def hang_up(desk: Desk) -> None:
        with socket.create_connection(("127.0.0.1", desk.port), 20) as connection:
            connection.sendall(f"EHLO mx\r\nMAIL FROM:<{SENDER}>\r\nRCPT TO:<{OURS}>\r\nDATA\r\n".encode())
            with connection.makefile("rb") as stream:
                while not (line := stream.readline()).startswith(b"354"):
                    assert line
            connection.sendall(b"Subject: x\r\n" * 10_000)

    async def scene(desk: Desk) -> None:
        await asyncio.to_thread(hang_up, desk)
        async with asyncio.timeout(10):
            while desk.listener.sessions or desk.listener.held_bytes:  # noqa: ASYNC110 - as above
                await asyncio.sleep(0.01)
        assert desk.published.records == []

    play(scene)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"listen": "2525"}, "HOST:PORT"),
        ({"listen": "127.0.0.1:99999"}, "HOST:PORT"),
        ({"protocol": "uucp"}, "smtp or lmtp"),
        ({"peers": "10.0.0.0/99"}, "peers"),
        ({"user": "postfix"}, "belong together"),
        ({"listen": "0.0.0.0:2525"}, "anybody could send"),
        ({"listen": "[::]:2525"}, "anybody could send"),
        ({"certificate": "gone.pem"}, "gone.pem cannot be used"),
        ({"largest_bytes": "-1"}, "whole number"),
    ],
)
def test_a_wrong_setting_is_said(options: dict[str, str], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        SmtpListener(Instance("mail", "email-smtp", options=options))


def test_a_password_never_crosses_a_network_in_the_clear() -> None:
    options = {"listen": "0.0.0.0:2525", "user": "postfix"}
    with pytest.raises(ValueError, match="AUTH needs a certificate"):
        SmtpListener(Instance("mail", "email-smtp", secrets=("sesame",), options=options))


def test_without_the_extra_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "aiosmtpd.lmtp", None)
    monkeypatch.delitem(sys.modules, "streams.connectors.mail.smtp_session")
    monkeypatch.delattr(mail_room, "smtp_session")
    with pytest.raises(ValueError, match=r"pip install 'careline\[mail\]'"):
        Desk()


def test_an_address_in_use() -> None:
    async def scene(desk: Desk) -> None:
        second = Desk(listen=f"127.0.0.1:{desk.port}")
        with pytest.raises(OSError, match="in use"):
            await second.runner.start()

    play(scene)
