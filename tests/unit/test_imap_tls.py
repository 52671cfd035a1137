"""The password of a mailbox crosses the network under TLS, to the right server, or not at all."""

import ssl
from pathlib import Path

import pytest

from streams.connectors.source_contract import PullTrouble
from tests.event_loops import on_every_loop
from tests.imap_house import ImapHouse
from tests.mailbox_reading import Reading, mail, nothing_delivered
from tests.tls_certificate import write_certificate


@pytest.fixture
def server_tls(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ssl.SSLContext:
    """TLS of a server whose certificate the puller trusts."""
    files = write_certificate(tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", files.certificate)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*files)
    return context


@pytest.mark.parametrize("way", ["implicit", "starttls"])
def test_mail_comes_over_tls(way: str, server_tls: ssl.SSLContext) -> None:
    async def scene() -> None:
        house = ImapHouse()
        house.tls = server_tls
        house.inbox.add(mail(1))
        house_open = house.open(implicit_tls=way == "implicit")
        async with house_open, Reading(house, host="localhost", tls=way).running() as reading:
            await reading.until(reading.ids)
        assert ("STARTTLS" in house.commands) == (way == "starttls")

    on_every_loop(scene)


@pytest.mark.parametrize("way", ["implicit", "starttls"])
def test_a_certificate_of_somebody_else_gets_no_password(
    way: str, server_tls: ssl.SSLContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SSL_CERT_FILE")

    async def scene() -> None:
        house = ImapHouse()
        house.tls = server_tls
        async with house.open(implicit_tls=way == "implicit"):
            with pytest.raises(PullTrouble, match="certificate verify failed"):
                await Reading(house, host="localhost", tls=way).puller().run(None, nothing_delivered)
        assert not {"LOGIN", "AUTHENTICATE"} & set(house.commands)

    on_every_loop(scene)


def test_a_server_without_tls_gets_no_password() -> None:
    async def scene() -> None:
        house = ImapHouse()
        async with house.open():
            with pytest.raises(PullTrouble):
                await Reading(house, host="localhost", tls="starttls").puller().run(None, nothing_delivered)
        assert house.commands == ["STARTTLS", "LOGOUT"]

    on_every_loop(scene)


def test_words_put_in_before_tls_are_not_believed(server_tls: ssl.SSLContext) -> None:
    async def scene() -> None:
        house = ImapHouse()
        house.tls = server_tls
        house.before_tls = b"* CAPABILITY IMAP4rev1 LOGINDISABLED\r\n"
        async with house.open():
            with pytest.raises(PullTrouble, match="does not begin TLS"):
                await Reading(house, host="localhost", tls="starttls").puller().run(None, nothing_delivered)

    on_every_loop(scene)
