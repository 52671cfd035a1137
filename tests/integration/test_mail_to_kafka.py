"""Live mail into a real Kafka that comes and goes: nothing lost, nothing twice, senders keep what is refused."""

import asyncio
import gc
import json
import logging
import os
import smtplib
import subprocess
import sys
from pathlib import Path

import pytest

from schemas.codec import decode
from schemas.control import Control
from schemas.interaction import Interaction
from schemas.topics import INTERACTIONS
from streams.connectors.connect_service import ConnectPlan, ConnectService
from streams.connectors.connector_registry import known_connectors
from streams.connectors.connectors_file import ConnectorSetup, read_connectors
from streams.embedded_kafka import EmbeddedKafka, KafkaRuntime
from streams.embedded_kafka.broker_probe import find_free_port
from streams.kafka_admin import create_topics
from streams.kafka_connection import KafkaConnection
from tests.connect_bench import CountingRecorder
from tests.imap_house import ImapHouse
from tests.integration.test_connect_to_kafka import records_of
from tests.mailbox_reading import mail

pytestmark = pytest.mark.integration

WAIT_SECONDS = 90

CONNECTORS = """
own_domains: [ours.example]
connectors:
  email-imap: {secrets: [MAILBOX], host: 127.0.0.1, port: %d, user: help, tls: none, begin: all}
  email-smtp: {listen: "127.0.0.1:%d"}
"""


def configured(folder: Path, imap_port: int, smtp_port: int) -> ConnectorSetup:
    path = folder / "connectors.yaml"
    path.write_text(CONNECTORS % (imap_port, smtp_port))
    return read_connectors(path, {"MAILBOX": "sesame"}, known_connectors())


def send(port: int, number: int) -> int:
    """As a mail server does: the code that the mail is answered with."""
    with smtplib.SMTP("127.0.0.1", port, timeout=20) as client:
        try:
            client.sendmail("ada@acme.example", ["help@ours.example"], mail(number))
        except smtplib.SMTPDataError as refused:
            return refused.smtp_code
    return 250


async def send_until_taken(port: int, number: int) -> list[int]:
    codes: list[int] = []
    async with asyncio.timeout(WAIT_SECONDS):
        while not codes or codes[-1] != 250:
            codes.append(await asyncio.to_thread(send, port, number))
            await asyncio.sleep(0.2)
    return codes


# kafka-python leaves the sockets of refused connections to the garbage collector.
@pytest.mark.filterwarnings("ignore:Exception ignored in. <socket:pytest.PytestUnraisableExceptionWarning")
def test_mails_while_kafka_comes_and_goes(
    kafka_runtime: KafkaRuntime, tmp_path: Path, topic_prefix: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.CRITICAL, logger="kafka")
    kafka_port, smtp_port = find_free_port(), find_free_port()
    servers = f"127.0.0.1:{kafka_port}"
    plan = ConnectPlan(
        port=0,
        kafka=KafkaConnection(servers),
        topic_prefix=topic_prefix,
        prepare=lambda: create_topics(KafkaConnection(servers), topic_prefix, 1, 1),
    )
    recorder = CountingRecorder()

    def found(kafka: EmbeddedKafka) -> list[str]:
        records = records_of(kafka, topic_prefix, INTERACTIONS)
        return [decode(Interaction, each.value).id.partition("@")[0] for each in records if each.key]

    async def scene() -> list[str]:
        async with ImapHouse().open() as house:
            house.deliver(mail(1))
            service = ConnectService(plan, configured(tmp_path, house.port, smtp_port), recorder)
            await service.start()
            try:
                assert [url for _, url in service.listeners] == [f"smtp://127.0.0.1:{smtp_port}"]
                assert await asyncio.to_thread(send, smtp_port, 100) == 451
                with EmbeddedKafka(kafka_runtime, folder=tmp_path / "kafka", port=kafka_port):
                    await send_until_taken(smtp_port, 100)
                    await until_heard_of(recorder)
                house.deliver(mail(2))
                house.hang_up()
                assert await asyncio.to_thread(send, smtp_port, 101) == 451
                with EmbeddedKafka(kafka_runtime, folder=tmp_path / "kafka", port=kafka_port) as again:
                    await send_until_taken(smtp_port, 101)
                    async with asyncio.timeout(WAIT_SECONDS):
                        while "m-2" not in (ids := await asyncio.to_thread(found, again)):  # noqa: ASYNC110 - as below
                            await asyncio.sleep(0.2)
                    heartbeats = [
                        decode(Control, each.value).source
                        for each in await asyncio.to_thread(records_of, again, topic_prefix, INTERACTIONS)
                        if not each.key
                    ]
                    assert set(heartbeats) == {"email-imap"}
                    return ids
            finally:
                await service.close()

    ids = asyncio.run(scene())
    assert sorted(ids) == ["m-1", "m-100", "m-101", "m-2"]
    gc.collect()  # here, where the warnings about them are expected, and not in some other test


async def until_heard_of(recorder: CountingRecorder) -> None:
    async with asyncio.timeout(WAIT_SECONDS):
        while "email-imap" not in recorder.until:  # noqa: ASYNC110 - asks what was counted
            await asyncio.sleep(0.05)


def test_the_check_says_what_is_fetched_and_listened_for(tmp_path: Path, project_root: Path) -> None:
    path = tmp_path / "connectors.yaml"
    path.write_text(CONNECTORS % (1143, 2525))

    def checked(*options: str, **variables: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "streams", "connect", "check", "--config", str(path), *options],
            env={**os.environ, **variables},
            cwd=project_root,
            capture_output=True,
            text=True,
            timeout=WAIT_SECONDS,
            check=False,
        )

    told = checked(MAILBOX="sesame")
    assert told.returncode == 0, told.stderr
    assert "fetches INBOX of help at 127.0.0.1:1143 (tls: none); changes nothing" in told.stdout
    assert "listens at smtp://127.0.0.1:2525 for mail from this machine" in told.stdout
    assert "sesame" not in told.stdout
    (imap, smtp) = json.loads(checked("--json", MAILBOX="sesame").stdout)["connectors"]
    assert (imap["url"], smtp["url"]) == (None, None)
    path.write_text("connectors: {email-imap: {secrets: [MAILBOX]}}")
    wrong = checked(MAILBOX="sesame")
    assert wrong.returncode == 2
    assert "the option host is missing" in wrong.stderr
    assert "options of email-imap: host, port" in wrong.stderr.replace("\n", " ")
