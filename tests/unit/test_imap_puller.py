"""Mail out of a mailbox: nothing lost, nothing doubled, whatever the server, the network or Kafka does."""

import json
import tracemalloc
from datetime import timedelta
from pathlib import Path

import pytest

from schemas.interaction import Attachment
from streams.connectors.connector_contract import Instance
from streams.connectors.mail import imap_wire
from streams.connectors.mail.imap_puller import ImapPuller
from streams.connectors.mail.imap_wire import mailbox_name
from streams.connectors.source_contract import PullTrouble
from tests.event_loops import on_every_loop
from tests.imap_house import RECEIVED, ImapHouse
from tests.mailbox_reading import NOW, OPTIONS, Reading, anything_delivered, mail, nothing_delivered


def test_mails_that_are_there_and_mails_that_come() -> None:
    async def scene() -> None:
        house = ImapHouse()
        for number in range(120):
            house.inbox.add(mail(number))
        async with house.open(), Reading(house).running() as reading:
            await reading.until(lambda: len(reading.ids()) == 120)
            await reading.until(lambda: reading.recorder.until)
            house.deliver(mail(120))
            await reading.until(lambda: len(reading.ids()) == 121)

        assert reading.ids() == [f"m-{number}" for number in range(121)]
        event = reading.events()[0]
        assert (event.received_at, event.occurred_at, event.inbox) == (RECEIVED, RECEIVED, "help@ours.example")
        assert reading.recorder.until == {"mail": NOW}
        assert reading.pauses == []
        assert not any(command.startswith(("SELECT", "UID STORE")) for command in house.commands)
        assert all(not stored.flags for stored in house.inbox.mails)

    on_every_loop(scene)


@pytest.mark.parametrize("offers", [True, False])
def test_without_idle_it_asks_again(offers: bool) -> None:
    async def scene() -> None:
        house = ImapHouse()
        house.can_plain = False
        house.can_idle = house.refuses_idle = offers
        async with house.open(), Reading(house).running() as reading:
            await reading.until(lambda: house.commands.count("NOOP") >= 3)
            house.deliver(mail(1))
            await reading.until(lambda: reading.ids() == ["m-1"])
        assert house.commands.count("IDLE") == offers
        assert house.connections == 1

    on_every_loop(scene)


def test_a_restart_goes_on_behind_the_last_mail() -> None:
    async def scene() -> None:
        house = ImapHouse()
        async with house.open():
            reading = Reading(house)
            for number in range(3):
                house.deliver(mail(number))
                async with reading.running():
                    await reading.until(lambda: len(reading.ids()) == number + 1)  # noqa: B023 - awaited here
        assert reading.ids() == ["m-0", "m-1", "m-2"]

    on_every_loop(scene)


def test_by_default_it_begins_now() -> None:
    async def scene() -> None:
        house = ImapHouse()
        house.inbox.add(mail(1))
        async with house.open():
            reading = Reading(house, begin="now")
            async with reading.running():
                await reading.until(reading.cursors)
            house.deliver(mail(2))
            async with reading.running():
                await reading.until(reading.ids)
        assert reading.ids() == ["m-2"]

    on_every_loop(scene)


def test_it_begins_on_a_day_and_reads_old_mail_that_is_moved_in_later() -> None:
    async def scene() -> None:
        house = ImapHouse()
        old = RECEIVED - timedelta(days=9)
        house.inbox.add(mail(1), old)
        house.inbox.add(mail(2))
        async with house.open(), Reading(house, begin="2026-03-01").running() as reading:
            await reading.until(lambda: reading.recorder.until)
            assert reading.ids() == ["m-2"]
            house.deliver(mail(3), received_at=old)
            await reading.until(lambda: reading.ids() == ["m-2", "m-3"])

    on_every_loop(scene)


def test_a_connection_lost_in_the_middle_of_a_mail_loses_and_doubles_nothing() -> None:
    async def scene() -> None:
        house = ImapHouse()
        for number in range(9):
            house.inbox.add(mail(number, b"x" * 5_000 if number == 5 else b"x"))
        house.cut_after_bytes = 1_000
        async with house.open(), Reading(house).running() as reading:
            await reading.until(lambda: len(reading.ids()) == 9)
            assert reading.ids() == [f"m-{number}" for number in range(9)]
            assert house.connections == 2
            house.hang_up()
            house.deliver(mail(9))
            await reading.until(lambda: len(reading.ids()) == 10)
        assert reading.recorder.answers["mail", 0, "failed"] == 2

    on_every_loop(scene)


def test_a_server_that_falls_silent_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(imap_wire, "ANSWER_SECONDS", 0.5)

    async def scene() -> None:
        house = ImapHouse()
        house.falls_silent = True
        async with house.open(), Reading(house).running() as reading:
            await reading.until(lambda: house.connections == 1 and not house.falls_silent)
            house.deliver(mail(1))
            await reading.until(reading.ids)
            assert house.connections == 2

    on_every_loop(scene)


def test_a_server_whose_clock_is_ahead_has_received_nothing_in_the_future() -> None:
    async def scene() -> None:
        house = ImapHouse()
        house.inbox.add(mail(1), NOW + timedelta(hours=1))
        async with house.open(), Reading(house).running() as reading:
            await reading.until(reading.ids)
            assert reading.events()[0].received_at == NOW

    on_every_loop(scene)


def test_new_uids_are_read_again_and_nothing_counts_twice() -> None:
    async def scene() -> None:
        house = ImapHouse()
        for number in range(4):
            house.inbox.add(mail(number))
        async with house.open(), Reading(house).running() as reading:
            await reading.until(lambda: reading.recorder.until)
            house.inbox.rebuild()
            house.deliver(mail(4))
            house.hang_up()
            await reading.until(lambda: len(reading.ids()) == 5)
        assert reading.ids() == ["m-0", "m-1", "m-2", "m-3", "m-4"]
        assert '"INBOX": [8, 5,' in reading.cursors()[-1].position

    on_every_loop(scene)


def test_while_kafka_is_away_mails_wait_in_the_mailbox() -> None:
    async def scene() -> None:
        house = ImapHouse()
        async with house.open(), Reading(house).running() as reading:
            await reading.until(lambda: reading.recorder.until)
            reading.published.broken = True
            for number in range(60):
                house.deliver(mail(number))
            await reading.until(lambda: len(reading.pauses) > 3)
            assert reading.ids() == []
            reading.published.broken = False
            await reading.until(lambda: len(reading.ids()) == 60)
        assert reading.ids() == [f"m-{number}" for number in range(60)]
        assert house.connections == 1

    on_every_loop(scene)


def test_two_mailboxes_are_one_source() -> None:
    async def scene() -> None:
        house = ImapHouse("INBOX", "Sent")
        house.mailboxes["INBOX"].add(mail(1))
        house.mailboxes["Sent"].add(
            mail(2, sender="bob@ours.example").replace(b"Message-ID", b"References: <m-1@acme.example>\r\nMessage-ID")
        )
        async with house.open(), Reading(house, mailbox="INBOX, Sent").running() as reading:
            await reading.until(lambda: len(reading.ids()) == 2 and reading.recorder.until)
        events = {event.id.partition("@")[0]: event for event in reading.events()}
        assert events["m-1"].conversation_id == events["m-2"].conversation_id
        assert (events["m-1"].author.kind, events["m-2"].author.kind) == ("customer", "agent")
        assert {"INBOX", "Sent"} == set(json.loads(reading.cursors()[-1].position))

    on_every_loop(scene)


def test_marking_is_asked_for() -> None:
    async def scene() -> None:
        house = ImapHouse()
        house.inbox.add(mail(1))
        async with house.open(), Reading(house, mark_seen="yes").running() as reading:
            await reading.until(lambda: house.inbox.mails[0].flags)
            assert reading.ids() == ["m-1"]
        assert house.inbox.mails[0].flags == {r"\Seen"}

    on_every_loop(scene)


@pytest.mark.parametrize("lies", [False, True])
def test_of_a_huge_mail_only_the_header_is_read_and_that_is_said(lies: bool) -> None:
    async def scene() -> None:
        house = ImapHouse()
        house.lies_about_size = lies
        house.inbox.add(mail(1, b"x" * 8_000_000))
        house.inbox.add(mail(2))
        async with house.open(), Reading(house, largest_bytes="500000").running() as reading:
            tracemalloc.start()
            await reading.until(lambda: len(reading.ids()) == 2)
            _, peak = tracemalloc.get_traced_memory()
            tracemalloc.stop()
        huge, small = reading.events()
        assert (huge.text, small.text) == ("No 1", "It is broken")
        said = 500_001 if lies else len(mail(1, b"x" * 8_000_000))
        assert huge.attachments == (
            Attachment(name="too large to be read", media_type="message/rfc822", size_bytes=said),
        )
        if lies:  # else the server alone fills more
            assert peak < 8_000_000

    on_every_loop(scene)


def test_a_mail_that_the_servernothing_delivered_gives_becomes_a_dead_letter() -> None:
    async def scene() -> None:
        house = ImapHouse()
        house.inbox.add(mail(1))
        house.inbox.add(mail(2))
        house.refuses_uids = {1}
        async with house.open(), Reading(house).running() as reading:
            await reading.until(reading.ids)
        assert reading.ids() == ["m-2"]
        (letter,) = reading.published.rejections
        assert letter.value == b"UID 1 of INBOX cannot be fetched: this one is broken"

    on_every_loop(scene)


@pytest.mark.parametrize(
    ("answer", "hopeless"), [("NO [AUTHENTICATIONFAILED] no", True), ("NO no", True), ("NO [UNAVAILABLE] later", False)]
)
def test_a_wrong_password(answer: str, hopeless: bool) -> None:
    async def scene() -> None:
        house = ImapHouse()
        house.login_answer = answer
        async with house.open():
            reading = Reading(house)
            reading.secrets = ("wrong-one", "wrong-two")
            with pytest.raises(PullTrouble, match="does not let help in") as trouble:
                await reading.puller().run(None, nothing_delivered)
        assert trouble.value.hopeless is hopeless
        assert "wrong-" not in str(trouble.value)
        assert house.commands.count("AUTHENTICATE") == 2

    on_every_loop(scene)


def test_tokens_come_from_their_file_at_every_login(tmp_path: Path) -> None:
    async def scene() -> None:
        house = ImapHouse()
        house.token = "second"
        house.inbox.add(mail(1))
        file = tmp_path / "token"
        file.write_text("first\n")
        async with house.open():
            reading = Reading(house, token_file=str(file))
            reading.secrets = ()
            with pytest.raises(PullTrouble, match="does not let help in"):
                await reading.puller().run(None, nothing_delivered)
            file.write_text("second\n")
            async with reading.running():
                await reading.until(reading.ids)

    on_every_loop(scene)


def test_a_mailbox_that_is_not_there() -> None:
    async def scene() -> None:
        house = ImapHouse()
        async with house.open():
            with pytest.raises(PullTrouble, match="'Nowhere' cannot be opened") as trouble:
                await Reading(house, mailbox="INBOX,Nowhere").puller().run(None, anything_delivered)
        assert trouble.value.hopeless

    on_every_loop(scene)


def test_nobody_there() -> None:
    async def scene() -> None:
        house = ImapHouse()
        async with house.open():
            pass
        with pytest.raises(PullTrouble, match="cannot connect to") as trouble:
            await Reading(house).puller().run(None, nothing_delivered)
        assert not trouble.value.hopeless

    on_every_loop(scene)


@pytest.mark.parametrize("position", ["7", "[]", '{"INBOX": [1]}', '{"INBOX": ["x", 1, null, 1]}'])
def test_a_position_of_something_else_isnothing_delivered_guessed_at(position: str) -> None:
    async def scene() -> None:
        async with ImapHouse().open() as house:
            with pytest.raises(PullTrouble, match="not one of a mailbox"):
                await Reading(house).puller().run(position, nothing_delivered)

    on_every_loop(scene)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"host": ""}, "host is missing"),
        ({"user": ""}, "user is missing"),
        ({"tls": "perhaps"}, "implicit, starttls, none"),
        ({"host": "imap.acme.example"}, "this machine alone"),
        ({"port": "0"}, "port is a whole number from 1 to 65535"),
        ({"begin": "yesterday"}, "now, all, or a day"),
        ({"user": "help\r\nX LOGOUT"}, "a line end"),
    ],
)
def test_a_wrong_setting_is_said(options: dict[str, str], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        ImapPuller(Instance("mail", "email-imap", secrets=("sesame",), options=OPTIONS | options))


def test_a_password_is_missing() -> None:
    with pytest.raises(ValueError, match="a password under secrets: is missing"):
        ImapPuller(Instance("mail", "email-imap", options=OPTIONS))


def test_names_of_mailboxes() -> None:
    # The example of RFC 3501, 5.1.3.
    assert mailbox_name("~peter/mail/台北/日本語") == '"~peter/mail/&U,BTFw-/&ZeVnLIqe-"'
    assert mailbox_name('R&D "x"') == '"R&-D \\"x\\""'
