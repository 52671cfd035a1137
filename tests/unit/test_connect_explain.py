"""`careline connect explain`: every provider's body, with or without its headers, however an editor has saved it."""

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from streams.cli.main import app
from tests.connect_bench import SENDERS
from tests.senders.mail_senders import RAW
from tests.senders.sender import Sender

NEEDS_HEADERS = frozenset({"cloudevents"})
"""Whose body says nothing without them: the event stands in the headers."""

each_sender = pytest.mark.parametrize("sender", SENDERS.values(), ids=SENDERS)


def explained(connector: str, file: Path, *options: str, exit_code: int = 0) -> dict[str, Any]:
    result = CliRunner().invoke(app, ["connect", "explain", connector, str(file), "--json", *options])
    assert result.exit_code == exit_code, result.output
    found: dict[str, Any] = json.loads(result.stdout) if exit_code == 0 else {}
    return found


def kind_of(sender: Sender) -> str:
    return sender.kind or sender.connector


@each_sender
@pytest.mark.parametrize("written", ["json", "lines"])
def test_a_body_with_its_headers(sender: Sender, written: str, tmp_path: Path) -> None:
    body, headers = tmp_path / "body", tmp_path / "headers"
    body.write_bytes(sender.payload)
    lines = "".join(f"{name}: {value}\n" for name, value in sender.extra.items())
    headers.write_text(json.dumps(sender.extra) if written == "json" else lines)
    told = explained(kind_of(sender), body, "--headers", str(headers))
    assert (len(told["events"]), told["ignored"], told["rejected"]) == (1, None, None)


@each_sender
@pytest.mark.parametrize(("before", "after"), [(b"", b""), (b"\xef\xbb\xbf", b"\n"), (b"", b"\r\n")])
def test_a_body_as_an_editor_saves_it(sender: Sender, before: bytes, after: bytes, tmp_path: Path) -> None:
    body = tmp_path / "body.txt"
    body.write_bytes(before + sender.payload + after)
    told = explained(kind_of(sender), body)
    assert len(told["events"]) == (kind_of(sender) not in NEEDS_HEADERS), told
    assert told["events"] or told["rejected"]
    if told["events"]:
        assert not (told["events"][0].get("text") or "").endswith("\n")


@each_sender
def test_a_body_that_is_kept_beside_its_headers(sender: Sender, tmp_path: Path) -> None:
    if not sender.json:
        pytest.skip("only what is JSON is collected so")
    file = tmp_path / "request.json"
    file.write_text(json.dumps({"headers": sender.extra, "body": json.loads(sender.payload)}))
    assert len(explained(kind_of(sender), file)["events"]) == 1


@pytest.mark.parametrize("connector", ["email-imap", "email-smtp"])
def test_a_raw_mail(connector: str, tmp_path: Path) -> None:
    mail = tmp_path / "mail.eml"
    mail.write_text(RAW)
    (event,) = explained(connector, mail)["events"]
    assert (event["author"]["id"], event["text"]) == ("ada@acme.example", "It is broken")


def test_a_text_without_a_header_is_no_mail(tmp_path: Path) -> None:
    text = tmp_path / "reply.txt"
    text.write_text("Thank you!\n\nOn Monday, Ada wrote:\n> It is broken\n")
    told = explained("email-imap", text)
    assert (told["events"], told["rejected"].partition(":")[0]) == ([], "malformed_payload")


def test_commas_that_documents_leave_behind_the_last_item_are_read_over(tmp_path: Path) -> None:
    file = tmp_path / "body.json"
    file.write_text(
        '{"id": "m-1", "conversation": "c", "at": "2026-03-02T09:29:58Z", "from": "customer", "text": ",]",}'
    )
    (event,) = explained("webhook", file)["events"]
    assert event["text"] == ",]"


def test_what_cannot_be_explained_says_why(tmp_path: Path) -> None:
    file = tmp_path / "body.json"
    explained("zendesk", file, exit_code=2)
    file.write_text("{}")
    explained("zendisk", file, exit_code=2)
    explained("zendesk", file, "--headers", str(tmp_path / "none"), exit_code=2)
    assert explained("zendesk", file)["rejected"].startswith("malformed_payload")
