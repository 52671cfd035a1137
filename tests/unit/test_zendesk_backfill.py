"""A backfill from a Zendesk that pages, limits, fails and crashes: nothing lost, nothing doubled, nobody early."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from schemas.interaction import Interaction
from streams.backfill.backfill_position import BackfillPosition, FilePositions, UnreadablePosition
from streams.backfill.backfill_run import Stopped
from streams.backfill.history_api import ApiRefused
from streams.backfill.zendesk_source import ZendeskSource
from streams.history.history_sender import ImportFailed
from tests.backfill_bench import SINCE, UNTIL, Scene
from tests.fake_zendesk import FakeZendesk, broken, dropped, too_many
from tests.zendesk_facts import AGENT, BEGINNING, REQUESTER, TicketFacts, Update

GONE = {
    "id": 900,
    "url": "u",
    "created_at": "2026-03-02T09:00:00Z",
    "updated_at": "2026-03-02T10:00:00Z",
    "requester_id": REQUESTER,
    "submitter_id": REQUESTER,
    "description": "Never mind",
    "status": "deleted",
}


def tickets(count: int) -> list[TicketFacts]:
    return [
        TicketFacts(
            number,
            [
                Update(0, REQUESTER, "It is broken", changes={"priority": "high"}),
                Update(600, AGENT, "Try again", changes={"status": "pending", "assignee_id": AGENT}),
                Update(1200, AGENT, "he is slow", public=False),
                Update(1800, REQUESTER, "Still broken", changes={"status": "open"}),
                Update(2400, AGENT, changes={"status": "solved", "tags": ["login"]}),
            ],
        )
        for number in range(1, count + 1)
    ]


class ZendeskScene(Scene):
    """With what only this fake can tell."""

    def __init__(self, folder: Path, provider: FakeZendesk) -> None:
        super().__init__(folder, provider, ZendeskSource, "zendesk")
        self.zendesk = provider


def test_all_of_it_in_order_stamped_and_closed_once(tmp_path: Path) -> None:
    scene = ZendeskScene(tmp_path, FakeZendesk(tickets(5), deleted=[GONE]))
    backfill = scene.run()
    assert (backfill.counts.threads, backfill.position.threads) == (6, 6)
    assert scene.sink.closed == [("import:backfill-1", UNTIL)]
    events = [each for each in scene.sink.events if isinstance(each, Interaction)]
    assert {each.clock for each in events} == {"import:backfill-1"}
    assert {each.source for each in events} == {"zendesk"}
    first = [each for each in events if each.conversation_id == "zendesk:1"]
    assert first == sorted(first, key=lambda each: each.occurred_at)
    assert [(each.type, each.author.kind, each.visibility) for each in first] == [
        ("message", "customer", "public"),
        ("message", "agent", "public"),
        ("status_changed", "agent", "public"),
        ("assigned", "agent", "public"),
        ("message", "agent", "internal"),
        ("message", "customer", "public"),
        ("status_changed", "customer", "public"),
        ("status_changed", "agent", "public"),
        ("tagged", "agent", "public"),
    ]
    assert {each.account_id for each in first} == {"zendesk_org:9"}
    assert [each.agent for each in first[:2]] == [None, str(AGENT)]
    gone = [each for each in events if each.conversation_id == "zendesk:900"]
    assert [(each.type, each.status) for each in gone] == [("message", None), ("status_changed", "deleted")]
    (company,) = scene.learned
    assert company.identities == ("zendesk_org:9", "domain:acme.example", "zendesk_user:43", "email:jo@home.example")


def test_who_is_staff_is_known_without_the_people_of_the_audits(tmp_path: Path) -> None:
    answered = TicketFacts(1, [Update(0, REQUESTER, "It is broken"), Update(600, AGENT, "Try again")])
    scene = ZendeskScene(tmp_path, FakeZendesk([answered], with_people=False))
    scene.run()
    authors = [each.author.kind for each in scene.sink.events if isinstance(each, Interaction)]
    assert authors == ["customer", "agent"]


def test_what_happened_after_the_end_is_left_to_the_live_connector(tmp_path: Path) -> None:
    scene = ZendeskScene(tmp_path, FakeZendesk(tickets(1)))
    backfill = scene.run(until=BEGINNING + timedelta(seconds=600))
    assert [event.id for event in scene.sink.events] == ["ticket:1:opening"]
    assert backfill.counts.later == 8


@pytest.mark.parametrize("trouble", [too_many(), broken(500), broken(503), dropped], ids=["429", "500", "503", "cut"])
@pytest.mark.parametrize("number", [1, 3, 5, 9, 12])
def test_a_trouble_anywhere_loses_and_doubles_nothing(tmp_path: Path, trouble: Any, number: int) -> None:
    whole = ZendeskScene(tmp_path / "a", FakeZendesk(tickets(5)))
    troubled = ZendeskScene(tmp_path / "b", FakeZendesk(tickets(5), troubles={number: trouble}))
    for scene in (whole, troubled):
        scene.run()
    assert sorted(map(str, troubled.sink.keys)) == sorted(map(str, whole.sink.keys))
    assert len(troubled.sink.keys) == len(set(troubled.sink.keys))
    assert [pause for pause in troubled.pauses if pause > 0] or trouble is dropped  # which the HTTP client mends itself


def test_the_provider_says_how_long_to_wait(tmp_path: Path) -> None:
    scene = ZendeskScene(tmp_path, FakeZendesk(tickets(1), troubles={2: too_many("37")}))
    scene.run()
    assert scene.pauses == [37.0]


def test_a_tenth_of_the_allowance_is_left_to_others(tmp_path: Path) -> None:
    scene = ZendeskScene(tmp_path, FakeZendesk(tickets(1), remaining=70))
    scene.run()
    assert scene.pauses == [5.0] * scene.zendesk.requests


def test_a_day_of_waiting_is_said_and_not_waited(tmp_path: Path) -> None:
    scene = ZendeskScene(tmp_path, FakeZendesk(tickets(1), troubles={1: too_many("86400")}))
    with pytest.raises(ApiRefused, match=r"24\.0 hours"):
        scene.run()


def test_a_wrong_token_is_said_at_once_and_not_shown(tmp_path: Path) -> None:
    scene = ZendeskScene(tmp_path, FakeZendesk(tickets(1)))
    with pytest.raises(ApiRefused, match="does not let us in") as caught:
        scene.run(token="wr0ng")
    assert "wr0ng" not in str(caught.value)
    assert scene.zendesk.requests == 1


@pytest.mark.parametrize("page", [0, 1, 2])
def test_a_crash_of_kafka_in_the_middle_goes_on_where_it_was(tmp_path: Path, page: int) -> None:
    scene = ZendeskScene(tmp_path, FakeZendesk(tickets(5)))
    scene.sink.fail_at = page
    with pytest.raises(ImportFailed):
        scene.run()
    assert scene.sink.closed == []
    backfill = scene.run()
    assert len(scene.sink.keys) == len(set(scene.sink.keys)) == 5 * 9
    assert backfill.position.threads == 5
    assert len(scene.sink.closed) == 1
    assert scene.zendesk.asked["/api/v2/incremental/organizations.json"] == 1


def test_a_crash_before_the_position_was_kept_repeats_the_same_events(tmp_path: Path) -> None:
    scene = ZendeskScene(tmp_path, FakeZendesk(tickets(5)))
    scene.run()
    before = scene.sink.keys
    scene.store.save(BackfillPosition(clock="import:backfill-1", since=SINCE, until=UNTIL, at="2", with_accounts=True))
    scene.run()
    assert scene.sink.keys == [*before, *before[2 * 9 :]]


def test_ctrl_c_stops_between_two_requests_and_the_next_run_goes_on(tmp_path: Path) -> None:
    scene = ZendeskScene(tmp_path, FakeZendesk(tickets(5), hold_at=11))
    with pytest.raises(Stopped):
        scene.run(stop_when=scene.zendesk.reached)
    done = len(scene.sink.keys)
    assert 0 < done < 45
    scene.run()
    assert len(scene.sink.keys) == len(set(scene.sink.keys)) == 45


def test_a_ticket_that_moves_while_it_is_exported_comes_twice_and_counts_once(tmp_path: Path) -> None:
    moved, *others = tickets(3)
    later = TicketFacts(1, [*moved.updates, Update(3000, REQUESTER, "Again", changes={"status": "open"})])
    scene = ZendeskScene(tmp_path, FakeZendesk([moved, *others, later]))
    scene.zendesk.tickets = [later, *others, later]
    scene.run()
    keys = set(scene.sink.keys)
    assert len(keys) == 3 * 9 + 2


def test_what_is_kept_elsewhere_is_no_position(tmp_path: Path) -> None:
    (tmp_path / "state.json").write_text('{"clock": 5}')
    with pytest.raises(UnreadablePosition, match="no position"):
        FilePositions(tmp_path / "state.json").load()
