"""Mail of whoever wants to stop us: whatever the bytes, nothing raises, nothing takes long, nothing lacks its place."""

import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.codec import encode
from schemas.interaction import Interaction
from streams.connectors.connector_contract import Draft, Ignored, Reading, Refused
from streams.connectors.event_check import flaw_in
from streams.connectors.mail.charset_reading import decoded, header_text
from streams.connectors.mail.mail_fields import addresses_in, mail_date
from streams.connectors.plain_text import plain_text
from tests.unit.test_raw_mail import event, mail, read

HEAD = b"From: ada@acme.example\r\nSubject: x\r\n"
LONG_SECONDS = 5.0
"""A hundred times what these take; quadratic work on them takes minutes."""


def assert_usable(reading: Reading) -> None:
    assert reading
    for item in reading:
        assert isinstance(item, Draft | Ignored | Refused)
        if isinstance(item, Draft):
            assert isinstance(item.event, Interaction)
            assert flaw_in(item.event) is None
            assert item.event.conversation_id.partition(":")[2]
            encode(item.event)
        elif isinstance(item, Refused):
            assert item.detail


HOSTILE = {
    "nested multiparts": b"".join(
        b"Content-Type: multipart/mixed; boundary=b%d\r\n\r\n--b%d\r\n" % (level, level) for level in range(20_000)
    ),
    "a million parts": b"Content-Type: multipart/mixed; boundary=b\r\n\r\n" + b"--b\r\n\r\nx\r\n" * 100_000,
    "nested messages": b"Content-Type: message/rfc822\r\n\r\n" * 30_000,
    "a long header": b"X: " + b"x" * 1_000_000 + b"\r\n\r\nx",
    "many fields": b"X: y\r\n" * 200_000 + b"\r\nx",
    "many folds": b"X: y\r\n" + b" z\r\n" * 200_000 + b"\r\nx",
    "broken lines": b"broken\r\n" * 100_000 + b"\r\nx",
    "quotes in addresses": b"To: " + b'"\\' * 30_000 + b"\r\n\r\nx",
    "comments in addresses": b"To: " + b"(" * 60_000 + b"\r\n\r\nx",
    "encoded words": b"To: " + b"=?utf-8?q?" * 6_000 + b"\r\n\r\nx",
    "parameters": b"Content-Type: text/plain; " + b'a="b; ' * 10_000 + b"\r\n\r\nx",
    "bad base64": b"Content-Transfer-Encoding: base64\r\n\r\n" + b"=\xff" * 300_000,
    "bad uuencode": b"Content-Transfer-Encoding: x-uuencode\r\n\r\nbegin 644 a\r\n\xff\xff\xff\r\nend\r\n",
    "bad quoted-printable": b"Content-Transfer-Encoding: quoted-printable\r\n\r\n" + b"=" * 500_000,
    "punycode": b"Content-Type: text/plain; charset=punycode\r\n\r\n" + b"a-" * 100_000,
    "utf-7 surrogates": b"Content-Type: text/plain; charset=utf-7\r\n\r\n+2AA-",
    "unclosed comments": b"Content-Type: text/html\r\n\r\n" + b"<!--" * 60_000,
    "unclosed tags": b"Content-Type: text/html\r\n\r\n" + b"<a " * 60_000,
    "quotations in quotations": b"Content-Type: text/html\r\n\r\n" + b"<blockquote>x" * 20_000,
    "zero bytes": bytes(10_000),
    "a long id": b"Message-ID: <" + b"x" * 5_000 + b"@y>\r\nReferences: <" + b"z" * 900 + b"\x00\x7f>\r\n\r\nx",
    "a long address": b"From: " + b"a" * 5_000 + b"@" + b"b" * 5_000 + b"\r\n\r\nx",
    "bare carriage returns": b"Content-Type: multipart/mixed; boundary=b\r\r--b\r\rx\r--b--",
}


@pytest.mark.parametrize("name", sorted(HOSTILE))
def test_hostile_bytes(name: str) -> None:
    started = time.monotonic()
    assert_usable(read(HEAD + HOSTILE[name]))
    assert time.monotonic() - started < LONG_SECONDS


@given(st.binary(max_size=300))
def test_any_bytes(body: bytes) -> None:
    assert_usable(read(body))
    assert_usable(read(HEAD + body))


PIECES = [
    "From: ",
    "To: ",
    "Date: ",
    "Message-ID: ",
    "References: ",
    "Content-Type: ",
    "multipart/mixed; boundary=b",
    "text/html",
    "Content-Transfer-Encoding: ",
    "base64",
    "--b",
    "--b--",
    "\r\n",
    "\n",
    "\r",
    "<",
    ">",
    "@",
    "a@b.c",
    ";",
    '"',
    "(",
    "=?utf-8?b?",
    "?=",
    "message/rfc822",
    "charset=",
    "report-type=delivery-status",
    "Mon, 2 Mar 2026 25:61:00 +9999",
    "é",
    "\x00",
    " ",
    "\t",
    "Content-Disposition: attachment; filename*=utf-8''%ff",
    "multipart/report",
]


@given(st.lists(st.sampled_from(PIECES), max_size=40))
def test_any_pieces_of_a_mail(pieces: list[str]) -> None:
    assert_usable(read("".join(pieces).encode("utf-8", "surrogateescape")))


@given(st.text(max_size=200))
def test_readers_of_values_never_raise(value: str) -> None:
    assert all("@" in address for address in addresses_in(value))
    mail_date(value)
    header_text(value).encode()
    plain_text(value).encode()


@given(
    st.binary(max_size=100),
    st.sampled_from(["utf-8", "utf-7", "iso-2022-jp", "hex", "zlib", "x-unknown", "idna", "", "\udcff"]),
)
def test_any_charset(content: bytes, charset: str) -> None:
    decoded(content, charset).encode()


WITH_AN_ATTACHMENT = (
    HEAD
    + b"To: help@ours.example\r\nMessage-ID: <m@acme.example>\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n"
    + b"--b\r\nContent-Type: text/plain; charset=utf-8\r\n\r\nBroken\r\n--b\r\n"
    + b"Content-Type: image/png; name=x.png\r\nContent-Disposition: attachment; filename=x.png\r\n\r\npng\r\n--b--\r\n"
)


@given(st.dictionaries(st.integers(0, len(WITH_AN_ATTACHMENT) - 1), st.integers(128, 255), min_size=1, max_size=20))
def test_whatever_bytes_of_a_mail_went_wrong_it_can_be_published(wrong: dict[int, int]) -> None:
    raw = bytearray(WITH_AN_ATTACHMENT)
    for place, byte in wrong.items():
        raw[place] = byte
    assert_usable(read(bytes(raw)))


def test_a_media_type_is_plain_ascii() -> None:
    made = event(WITH_AN_ATTACHMENT.replace(b"image/png", b"imag\xe9e/png"))
    assert [attached.media_type for attached in made.attachments] == ["image/png"]


def test_published_mails_cut_off_anywhere(shared: Path) -> None:
    folder = shared / "payloads" / "email"
    if not folder.is_dir():
        pytest.skip("needs the published payloads in ../shared/payloads")
    for path in sorted(folder.glob("*.eml")):
        raw = path.read_bytes()
        for end in range(0, min(len(raw), 4_000), 97):
            assert_usable(read(raw[:end]))


def test_an_attachment_is_measured_and_never_unpacked() -> None:
    packed = "UEsDB" + "A" * 395
    made = event(
        mail(
            f"--b\nContent-Type: application/zip; name=bomb.zip\nContent-Transfer-Encoding: base64\n\n{packed}\n--b--",
            Content_Type="multipart/mixed; boundary=b",
        )
    )
    (attached,) = made.attachments
    assert (attached.name, attached.media_type, attached.size_bytes) == ("bomb.zip", "application/zip", 300)
