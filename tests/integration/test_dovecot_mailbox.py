"""A mailbox of a real IMAP server, Dovecot (`make tools`): what our own one in `imap_house` may have got wrong."""

import asyncio
import getpass
import imaplib
import os
import shutil
import ssl
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from streams.embedded_kafka.broker_probe import find_free_port
from tests.imap_house import ImapHouse
from tests.mailbox_reading import Reading, mail
from tests.tls_certificate import CertificateFiles, write_certificate

pytestmark = pytest.mark.tools

SENT = "Éléments envoyés"
SENT_ON_THE_WIRE = "&AMk-l&AOk-ments envoy&AOk-s"

CONFIGURATION = """
base_dir = {folder}/run
state_dir = {folder}/state
log_path = {folder}/log
protocols = imap
listen = 127.0.0.1
ssl = required
ssl_cert = <{tls.certificate}
ssl_key = <{tls.private_key}
ssl_dh =
mail_location = maildir:{folder}/mail
default_internal_user = {internal}
default_login_user = {login}
default_internal_group = {group}
first_valid_uid = 1
first_valid_gid = 1
passdb {{
  driver = static
  args = password=sesame
}}
userdb {{
  driver = static
  args = uid={owner} gid={owner_group} home={folder}
}}
service imap-login {{
  chroot =
  inet_listener imap {{
    port = {plain_port}
  }}
  inet_listener imaps {{
    port = {port}
    ssl = yes
  }}
}}
service anvil {{
  chroot =
}}
"""


class Dovecot:
    """A server of its own, with one mailbox store."""

    def __init__(self, folder: Path, program: str, tls: CertificateFiles) -> None:
        self._folder = folder
        self._program = program
        self._tls = tls
        self.port, self.plain_port = find_free_port(), find_free_port()
        is_root = os.geteuid() == 0
        me = getpass.getuser()
        words = {
            "internal": "dovecot" if is_root else me,
            "login": "dovenull" if is_root else me,
            "group": "dovecot" if is_root else "",
            "owner": "nobody" if is_root else str(os.getuid()),
            "owner_group": "nogroup" if is_root else str(os.getgid()),
        }
        for name in ("run", "state", "mail"):
            (folder / name).mkdir()
        if is_root:  # its processes are somebody else
            folder.chmod(0o755)
            shutil.chown(folder / "mail", "nobody", "nogroup")
        text = CONFIGURATION.format(folder=folder, tls=tls, port=self.port, plain_port=self.plain_port, **words)
        (folder / "dovecot.conf").write_text(text)

    @contextmanager
    def running(self) -> Iterator["Dovecot"]:
        process = subprocess.Popen([self._program, "-F", "-c", str(self._folder / "dovecot.conf")])
        try:
            with self.client():
                pass
            yield self
        finally:
            process.terminate()
            process.wait(30)

    @contextmanager
    def client(self) -> Iterator[imaplib.IMAP4_SSL]:
        with self._connected() as client:
            client.login("help", "sesame")
            yield client

    def _connected(self) -> imaplib.IMAP4_SSL:
        context = ssl.create_default_context(cafile=self._tls.certificate)
        for _ in range(100):
            try:
                return imaplib.IMAP4_SSL("localhost", self.port, ssl_context=context, timeout=20)
            except (OSError, imaplib.IMAP4.abort):
                time.sleep(0.1)
        raise AssertionError((self._folder / "log").read_text())

    def add(self, *contents: bytes, mailbox: str = "INBOX") -> None:
        with self.client() as client:
            client.create(f'"{mailbox}"')
            for content in contents:
                assert client.append(f'"{mailbox}"', "", "", content)[0] == "OK"

    def flags(self) -> set[bytes]:
        with self.client() as client:
            client.select("INBOX", readonly=True)
            lines = [line for line in client.fetch("1:*", "(FLAGS)")[1] if isinstance(line, bytes)]
            return {flag for line in lines for flag in imaplib.ParseFlags(line)}

    def forget_uids(self) -> None:
        """As after a restore: the same mails under other UIDs."""
        for file in (self._folder / "mail").glob("dovecot*"):
            file.unlink()


@pytest.fixture
def dovecot(tool: Callable[[str], str], monkeypatch: pytest.MonkeyPatch) -> Iterator[Dovecot]:
    program = tool("dovecot")
    with tempfile.TemporaryDirectory(prefix="careline-dovecot-", dir="/tmp") as name:
        tls = write_certificate(Path(name))
        monkeypatch.setenv("SSL_CERT_FILE", tls.certificate)
        yield Dovecot(Path(name), program, tls)


def reading_of(server: Dovecot, **options: str) -> Reading:
    house = ImapHouse()
    house.port = server.port
    return Reading(house, **({"host": "localhost", "tls": "implicit"} | options))


def test_a_mailbox_of_dovecot(dovecot: Dovecot) -> None:
    async def scene() -> None:
        with dovecot.running():
            await asyncio.to_thread(dovecot.add, *(mail(number) for number in range(60)))
            await asyncio.to_thread(dovecot.add, mail(900, sender="bob@ours.example"), mailbox=SENT_ON_THE_WIRE)
            reading = reading_of(dovecot, mailbox=f"INBOX, {SENT}", largest_bytes="20000")
            async with reading.running():
                await reading.until(lambda: len(reading.ids()) == 61 and reading.recorder.until)
                await asyncio.to_thread(dovecot.add, mail(60), mail(61, b"x" * 50_000))
                await reading.until(lambda: len(reading.ids()) == 63)
            assert reading.pauses == []
            assert await asyncio.to_thread(dovecot.flags) <= {rb"\Recent"}
        assert {f"m-{number}" for number in (*range(62), 900)} == set(reading.ids())
        (huge,) = [event for event in reading.events() if event.attachments]
        assert (huge.id, huge.attachments[0].size_bytes) == ("m-61@acme.example", len(mail(61, b"x" * 50_000)))

    asyncio.run(asyncio.wait_for(scene(), 60))


def test_dovecot_is_restarted_and_forgets_its_uids(dovecot: Dovecot) -> None:
    async def scene() -> None:
        reading = reading_of(dovecot, tls="starttls", port=str(dovecot.plain_port))
        with dovecot.running():
            await asyncio.to_thread(dovecot.add, mail(1), mail(2))
            async with reading.running():
                await reading.until(lambda: len(reading.ids()) == 2)
        validity = reading.cursors()[-1].position
        async with reading.running():
            await reading.until(lambda: reading.pauses)  # nobody is there
            dovecot.forget_uids()
            with dovecot.running():
                await asyncio.to_thread(dovecot.add, mail(3))
                await reading.until(lambda: "m-3" in reading.ids())
        assert sorted(set(reading.ids())) == ["m-1", "m-2", "m-3"]
        assert reading.cursors()[-1].position.partition(",")[0] != validity.partition(",")[0]

    asyncio.run(asyncio.wait_for(scene(), 60))


def test_dovecot_refuses_a_wrong_password(dovecot: Dovecot) -> None:
    async def scene() -> None:
        with dovecot.running():
            reading = reading_of(dovecot)
            reading.secrets = ("wrong",)
            async with reading.running():
                await reading.until(lambda: reading.recorder.answers["mail", 0, "hopeless"])

    asyncio.run(asyncio.wait_for(scene(), 60))
