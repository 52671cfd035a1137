"""What published mails become, and whether another parser finds the same in them."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from schemas.interaction import Interaction
from streams.connectors.connector_contract import Draft, Refused
from streams.connectors.mail.mail_reading import read_message
from streams.connectors.mail.written_text import written_text
from tests.unit.test_raw_mail import event, read


@pytest.fixture
def published(shared: Path) -> Path:
    folder = shared / "payloads" / "email"
    if not folder.is_dir():
        pytest.skip("needs the published payloads in ../shared/payloads")
    return folder


PUBLISHED = [
    (
        "cpython_msg_01.eml",
        "customer",
        "bbb@ddd.com",
        "2001-05-04T18:05:44",
        "15090.61304.110929.45684@aaa.zzz.org",
        None,
    ),
    ("cpython_msg_05.eml", "system", None, None, "20010803162810.0CA8AA7ACC@mail.example.com", "bounce"),
    (
        "cpython_msg_16.eml",
        "system",
        "postmaster@ucla.edu",
        "2001-09-24T03:14:35",
        "002001c144a6$8752e060$56104586@oxy.edu",
        "bounce",
    ),
    ("cpython_msg_33.eml", "customer", "aperson@example.com", "2000-09-27T16:11:09", None, "mailing_list"),
    ("flanker_gmail-no-dns.eml", "system", "mailer-daemon@googlemail.com", "2012-07-10T06:06:08", None, "bounce"),
    (
        "flanker_disposition-notification.eml",
        "customer",
        "joe_recipient@example.com",
        "1995-09-20T04:19:00",
        "199509192301.23456@example.org",
        "receipt",
    ),
    ("flanker_no-mx.eml", "system", "mailer-daemon@example.com", "2012-07-10T06:09:18", None, "delivery_notice"),
    (
        "flanker_office365.eml",
        "system",
        "postmaster@example.no",
        "2017-10-13T11:10:16",
        "20171013111011.20866.254C2F3A4D7AA526@ninomail.com",
        "bounce",
    ),
    (
        "mikel_raw_email_reply.eml",
        "customer",
        "xxxxxxxx@xxx.org",
        "2007-11-18T08:56:07",
        "473FF3B8.9020707@xxx.org",
        None,
    ),
    ("mikel_raw_email_bad_time.eml", "customer", "yusuf75thu@auracom.net", "2008-06-30T09:34:00", None, None),
    ("mikel_raw_email_with_bad_date.eml", "customer", "subventive@vodtravel.com", "2007-11-05T09:17:37", None, None),
    (
        "mikel_raw_email_double_at_in_header.eml",
        "customer",
        "jamis@37signals.com",
        "2005-05-02T22:07:05",
        "d3b8cf8e49f0448085@0c28713a1@f473e@37signals.com",
        None,
    ),
    ("mikel_raw_email_multiple_from.eml", "customer", "tim@powerupdev.com", "2007-10-22T23:45:23", None, None),
    ("mikel_multiple_references_with_one_invalid.eml", "customer", "redacted@flashmail.net", None, "foo@bar.net", None),
    ("mikel_report_422.eml", "system", "mailer-daemon@tppppp.com.au", "2008-01-16T16:40:52", None, "delivery_notice"),
    ("mikel_report_530.eml", "system", "mailer-daemon@tttttt.com.au", "2007-12-23T23:03:53", None, "bounce"),
    ("mikel_utf8_headers.eml", "customer", "jdöe@mächine.example", None, None, None),
    ("spamscope_mail_malformed_2.eml", "system", "postmaster@netpar.com.br", "2016-08-22T09:23:36", None, "bounce"),
    ("spamscope_mail_test_1.eml", "customer", "suvorov.s@nalg.ru", "2016-08-22T14:23:01", None, None),
]


@pytest.mark.parametrize(("name", "kind", "sender", "at", "conversation", "word"), PUBLISHED)
def test_published_mails(
    published: Path,
    name: str,
    kind: str,
    sender: str | None,
    at: str | None,
    conversation: str | None,
    word: str | None,
) -> None:
    said = event((published / name).read_bytes())
    assert (said.author.kind, said.author.id, said.automated) == (kind, sender, word)
    assert said.occurred_at.isoformat()[:19] == (at or "2026-03-02T09:30:00")
    assert conversation is None or said.conversation_id == f"mailbox:{conversation}"
    assert said.direction == ("inbound" if kind == "customer" else None)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("mikel_japanese_iso_2022.eml", "すみません。"),
        ("mikel_japanese_shift_jis.eml", "あいうえお"),
        ("mikel_ks_c_5601-1987.eml", "스티해"),
        ("stalwart_legacy_010.eml", "Die Hasen und die Frösche"),
        ("spamscope_mail_test_1.eml", "Налогоплательщик!"),
    ],
)
def test_published_charsets(published: Path, name: str, text: str) -> None:
    assert (event((published / name).read_bytes()).text or "").startswith(text)


def test_every_published_mail_is_an_event_or_refused_with_a_reason(published: Path) -> None:
    for path in sorted(published.iterdir()):
        (made,) = read(path.read_bytes())
        if path.suffix != ".eml":
            assert isinstance(made, Refused), path.name
        elif isinstance(made, Draft):
            assert isinstance(made.event, Interaction)
            assert made.event.conversation_id.removeprefix("mailbox:"), path.name
            assert made.event.id, path.name
        else:
            assert path.name in {
                "stalwart_malformed_000.eml",
                "stalwart_malformed_005.eml",
                "stalwart_malformed_010.eml",
                "stalwart_thirdparty_000.eml",
            }, path.name


def parts_of_the_oracle(message: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for name in ("text_body", "attachments"):
        yield from ((name, message["parts"][index]) for index in message[name])


@pytest.mark.parametrize("name", ["legacy_003", "legacy_010", "rfc_000", "rfc_005"])
def test_another_parser_finds_the_same_texts_and_attachments(published: Path, name: str) -> None:
    theirs = json.loads((published / f"stalwart_{name}.json").read_text())
    ours = read_message((published / f"stalwart_{name}.eml").read_bytes())
    assert not isinstance(ours, Refused)
    kinds = [kind for kind, _ in parts_of_the_oracle(theirs)]
    # What they call text/enriched is an attachment for both; a text of theirs may be an HTML part of ours.
    assert len(ours.attachments) == kinds.count("attachments")
    for kind, part in parts_of_the_oracle(theirs):
        said = part["body"].get("Text") if kind == "text_body" else None
        if said is not None:
            assert " ".join(said.split()) in " ".join(ours.body.split())


@pytest.mark.parametrize(
    ("name", "begins", "ends"),
    [
        ("correct_sig", "this is an email", "with a correct -- signature."),
        ("email_1_1", "Hi folks", "-Abhishek Kona"),
        ("email_1_2", "Hi,\n\nYou can list the keys", "delete them all individually."),
        ("email_1_3", "Oh thanks.", "-Abhishek Kona"),
        ("email_1_6", "I get proper", "rendering as well."),
        ("email_2_1", "Outlook", "with a reply"),
        ("email_BlackBerry", "Here is", "another email"),
        ("email_iPhone", "Here is", "another email"),
        ("email_one_is_not_on", "Thank, this", "when I run..."),
        ("pathological", "I think you're onto", "back to a computer."),
    ],
)
def test_published_replies_without_their_history(published: Path, name: str, begins: str, ends: str) -> None:
    kept = written_text((published / f"reply_{name}.txt").read_text())
    assert kept.startswith(begins)
    assert kept.rstrip('"').endswith(ends)
    assert ">" not in kept
