"""The issue agent on small stories: an issue from its beginning to its end, its owner, its name, what is forgotten."""

from typing import Any

import msgspec
import pytest

from agents import issue_memory
from agents.domain.instant import DAY_US, HOUR_US, MINUTE_US, Instant, from_datetime, to_datetime
from agents.domain.issue_rules import IssueRules, OwnerRule, to_published
from agents.domain.issue_watch import IssueWatch, Taken
from agents.domain.message_words import words_of
from agents.domain.theme_marks import ThemeMarks
from agents.domain.topic_surge import Sensitivity, SurgeNews, TopicSurges
from agents.issue_agent import IssueAgent
from agents.issue_memory import LEDGER_KEY, IssueMemory
from schemas.alert import Alert
from schemas.codec import decode
from schemas.control import Control
from schemas.issue import Issue
from schemas.issue_state import CustomerMessage
from schemas.mention import Mention
from schemas.topics import ALERTS, ISSUES, MENTIONS
from schemas.watch_state import Forgot, Passed, Step
from streams.history.message_watch import surges_in
from tests.doubles import DictStates, ListEffects, record_of
from tests.message_stories import Story, story_with_issue

STORY = story_with_issue(31, is_novel=True, per_hour=30, days=6, per_day=300)


def mention(message: CustomerMessage, clock: str = "wall") -> Mention:
    return Mention(
        id=message.id,
        account_id=message.account,
        occurred_at=to_datetime(message.at),
        words=tuple(word.text for word in words_of(message.text)),
        clock=clock,
    )


class Partition:
    """The one partition of mentions; a new agent takes every batch, as after a restart."""

    def __init__(self) -> None:
        self.states, self.effects, self.offset = DictStates(), ListEffects(), 0

    def take(self, *found: Mention | Control, at: Instant | None = None, batch: int = 400) -> None:
        records = []
        for each in found:
            is_mention = isinstance(each, Mention)
            moment = each.occurred_at if isinstance(each, Mention) else each.as_of
            key = each.account_id if is_mention else None
            appended_at = from_datetime(moment) if at is None else at
            records.append(record_of(MENTIONS, key, each, offset=self.offset, appended_at=appended_at))
            self.offset += 1
        for start in range(0, len(records), batch):
            IssueAgent(self.states, self.effects).process(records[start : start + batch], 0)

    def story(self, story: Story, clock: str = "wall") -> None:
        self.take(*(mention(message, clock) for message in story.messages))

    def tick(self, as_of: Instant) -> None:
        self.take(Control(id=f"tick/{as_of}", kind="tick", as_of=to_datetime(as_of)))

    def wake_at(self) -> Instant | None:
        return self.states.wakes.get(LEDGER_KEY, ("", None))[1]

    def issues(self) -> list[Issue]:
        return [issue for issue in self.effects.on(ISSUES) if isinstance(issue, Issue)]

    def alerts(self) -> list[Alert]:
        return [alert for alert in self.effects.on(ALERTS) if isinstance(alert, Alert)]

    def ledger(self) -> Any:
        return IssueAgent(self.states, self.effects).ledger


@pytest.fixture
def partition() -> Partition:
    return Partition()


def test_a_surge_is_opened_told_again_as_it_grows_and_closed_by_a_tick(partition: Partition) -> None:
    partition.story(STORY)
    while (wake_at := partition.wake_at()) is not None:
        partition.tick(wake_at)

    issues = partition.issues()
    (in_file,) = surges_in(STORY.messages, Sensitivity())

    assert (issues[0].status, issues[-1].status) == ("opened", "closed")
    assert {issue.status for issue in issues[1:-1]} == {"updated"}
    assert len({issue.issue_id for issue in issues}) == 1
    assert len({issue.id for issue in issues}) == len(issues)
    opened, closed = issues[0], issues[-1]
    assert (opened.name, from_datetime(opened.opened_at)) == (in_file.topic, in_file.raised_at)
    assert closed.accounts == tuple(in_file.accounts[:100])
    assert closed.account_count == len(in_file.accounts)
    assert closed.growth == pytest.approx(in_file.growth, abs=0.01)
    ids = {message.id for message in STORY.messages}
    assert len(opened.messages) > 2
    assert set(opened.messages) <= ids
    assert [(alert.name, alert.state, alert.key) for alert in partition.alerts()] == [
        ("IssueSurge", "firing", opened.issue_id),
        ("IssueSurge", "resolved", opened.issue_id),
    ]
    assert opened.name in partition.alerts()[0].summary
    assert partition.ledger().applied == len(STORY.messages)


def test_a_repeated_message_and_one_of_long_ago_change_nothing(partition: Partition) -> None:
    first, *_, last = STORY.messages
    partition.take(mention(first), mention(last), mention(last), mention(msgspec.structs.replace(first, id="again")))

    ledger = partition.ledger()
    assert (ledger.applied, ledger.duplicate, ledger.late, ledger.rejected) == (2, 1, 1, 0)


def test_whoever_is_named_by_the_first_rule_that_fits_owns_the_issue(partition: Partition) -> None:
    rules = IssueRules(
        version="1",
        owners=(
            OwnerRule(owner="success", kind="issue_silence"),
            OwnerRule(owner="nobody", words=("flamingo",)),
            OwnerRule(owner="product", words=("flamingo", *STORY.words)),
            OwnerRule(owner="support"),
        ),
    )
    control = Control(
        id="rules", kind="issues_activated", as_of=to_datetime(STORY.messages[0].at), policy_text=to_published(rules)
    )
    partition.take(control)
    partition.story(STORY)

    assert {issue.owner for issue in partition.issues()} == {"product"}
    assert partition.alerts()[0].owner == "product"


def test_rules_that_nobody_can_judge_with_are_put_aside(partition: Partition) -> None:
    partition.take(
        Control(
            id="rules", kind="issues_activated", as_of=to_datetime(0), policy_text='{"version": "1", "accounts": 1}'
        )
    )

    assert [reason for _, reason, _ in partition.effects.rejected] == ["contract_violation"]
    assert partition.ledger().rules is None


def test_a_theme_that_comes_back_is_known_again(partition: Partition) -> None:
    again = story_with_issue(31, is_novel=True, per_hour=30, days=6, per_day=300)
    later = [
        msgspec.structs.replace(message, id=f"{message.id}b", at=message.at + 7 * DAY_US) for message in again.messages
    ]
    partition.story(STORY)
    partition.take(*(mention(message) for message in later))

    opened = [issue for issue in partition.issues() if issue.status == "opened"]

    assert [issue.times for issue in opened] == [1, 2]
    assert opened[0].topic_id == opened[1].topic_id
    assert opened[0].issue_id != opened[1].issue_id


def test_simulations_have_issues_of_their_own(partition: Partition) -> None:
    both = [each for message in STORY.messages for each in (mention(message), mention(message, "simulation:1"))]
    partition.take(*both, at=2**51)

    opened = [issue for issue in partition.issues() if issue.status == "opened"]

    assert sorted(issue.clock for issue in opened) == ["simulation:1", "wall"]
    assert len({issue.issue_id for issue in opened}) == 2


def contacts(account: str, every_us: int, begin: Instant, end: Instant) -> list[CustomerMessage]:
    times = range(begin, end, every_us)
    return [CustomerMessage(id=f"{account}/{at}", at=at, account=account, text="How do we do this?") for at in times]


def test_a_silence_is_opened_while_others_write_and_closed_by_a_message(partition: Partition) -> None:
    begin, end = 20_514 * DAY_US, 20_560 * DAY_US
    messages = [message for n in range(6) for message in contacts(f"a{n}", 5 * HOUR_US + n * MINUTE_US, begin, end)]
    messages += contacts("quiet", 6 * HOUR_US, begin, begin + 20 * DAY_US)
    messages += contacts("quiet", 6 * HOUR_US, end - DAY_US, end)
    partition.take(*(mention(message) for message in sorted(messages, key=lambda one: (one.at, one.id))))

    found = [issue for issue in partition.issues() if issue.kind == "issue_silence"]

    assert [(issue.status, issue.account_id, issue.name) for issue in found] == [
        ("opened", "quiet", "quiet is silent"),
        ("closed", "quiet", "quiet is silent"),
    ]
    assert found[1].closed_at == to_datetime(end - DAY_US)
    assert [alert.account_id for alert in partition.alerts()] == ["quiet", "quiet"]


def test_a_silence_of_a_year_is_over_though_nobody_wrote(partition: Partition) -> None:
    begin = 20_514 * DAY_US
    others = [message for n in range(3) for message in contacts(f"a{n}", DAY_US + n, begin, begin + 400 * DAY_US)]
    messages = [*others, *contacts("gone", 12 * HOUR_US, begin, begin + 20 * DAY_US)]
    partition.take(*(mention(message) for message in sorted(messages, key=lambda one: (one.at, one.id))))

    found = [issue for issue in partition.issues() if issue.account_id == "gone"]

    assert [issue.status for issue in found] == ["opened", "closed"]
    assert 365 <= (found[1].as_of - found[1].began_at).days <= 367
    assert partition.alerts()[-1].state == "resolved"
    assert partition.alerts()[-1].summary == "gone has not written for a year: no longer an issue"


def test_what_is_forgotten_stands_in_no_memory_and_in_nothing_that_is_told_later(partition: Partition) -> None:
    assert STORY.began_at is not None
    at = STORY.began_at + 4 * HOUR_US
    partition.take(*(mention(message) for message in STORY.messages if message.at < at))
    account = partition.issues()[-1].accounts[0]
    partition.take(Control(id="f", kind="account_forgotten", as_of=to_datetime(at), account_id=account))
    remembered = b"".join(partition.states.states.values())

    assert msgspec.msgpack.encode(account) not in remembered
    assert [topic for topic, _ in partition.effects.relayed] == [ISSUES]
    assert partition.effects.forgotten == [(ALERTS, account)]
    while (wake_at := partition.wake_at()) is not None:
        partition.tick(wake_at)
    assert account not in partition.issues()[-1].accounts


def test_who_is_forgotten_before_an_issue_begins_is_counted_and_not_told(partition: Partition) -> None:
    quiet = [message for message in STORY.messages if STORY.began_at is None or message.at < STORY.began_at]
    partition.take(*(mention(message) for message in quiet))
    texts = ["export blank Grabowski", "export blank Grabowski", "export blank pages", "export blank pages"] * 2
    for number, text in enumerate(texts):
        at = quiet[-1].at + (number + 1) * MINUTE_US
        partition.take(mention(CustomerMessage(id=f"x{number}", at=at, account=f"new-{number}", text=text)))
        if number == 2:
            forget = Control(id="f", kind="account_forgotten", as_of=to_datetime(at), account_id="new-0")
            partition.take(msgspec.structs.replace(forget, also_known_as=("new-1",)))
    partition.tick((partition.wake_at() or 0) + MINUTE_US)
    opened = next(issue for issue in partition.issues() if "export" in issue.name)

    assert opened.account_count > len(opened.accounts) > 0
    assert all(each.startswith("new-") for each in opened.accounts)
    assert len(opened.messages) == len(opened.accounts)
    assert "grabowski" not in opened.name


def forget(partition: Partition, at: Instant, *accounts: str) -> None:
    control = Control(id="f", kind="account_forgotten", as_of=to_datetime(at), account_id=accounts[0])
    partition.take(msgspec.structs.replace(control, also_known_as=accounts[1:]))


def test_a_name_keeps_no_word_that_only_the_forgotten_wrote(partition: Partition) -> None:
    """One writer of a word is not its only one; when all are forgotten the issue is told again without it."""
    quiet = [message for message in STORY.messages if STORY.began_at is None or message.at < STORY.began_at]
    partition.take(*(mention(message) for message in quiet))
    at = quiet[-1].at
    for number in range(8):
        at += MINUTE_US
        text = "export blank Grabowski" if number < 4 else "export blank pages"
        partition.take(mention(CustomerMessage(id=f"x{number}", at=at, account=f"new-{number}", text=text)))
    partition.tick((partition.wake_at() or 0) + MINUTE_US)
    opened = next(issue for issue in partition.issues() if "export" in issue.name)
    assert "grabowski" in opened.name

    forget(partition, at, "new-0")
    before = [issue for issue in partition.issues() if issue.issue_id == opened.issue_id]
    forget(partition, at, "new-1", "new-2", "new-3")
    after = [issue for issue in partition.issues() if issue.issue_id == opened.issue_id]

    assert {issue.name for issue in before} == {opened.name}
    assert after[len(before) :][0].status == "updated"
    assert not [issue for issue in after[len(before) :] if "grabowski" in issue.name]
    assert "export" in after[-1].name.split()

    forget(partition, at, *(f"new-{number}" for number in range(4, 8)))
    while (wake_at := partition.wake_at()) is not None:
        partition.tick(wake_at)
    assert [issue for issue in partition.issues() if issue.issue_id == opened.issue_id] == after, "nobody is left"


def test_a_name_without_spaces_stays_where_somebody_left_has_written_it(partition: Partition) -> None:
    quiet = [message for message in STORY.messages if STORY.began_at is None or message.at < STORY.began_at]
    partition.take(*(mention(message) for message in quiet))
    at = quiet[-1].at
    for number in range(8):
        at += MINUTE_US
        partition.take(
            mention(CustomerMessage(id=f"x{number}", at=at, account=f"new-{number}", text="指紋認証ができない"))
        )
    partition.tick((partition.wake_at() or 0) + MINUTE_US)

    forget(partition, at, "new-0", "new-1", "new-2")

    assert partition.issues()[-1].name == "指紋認証ができない"


def test_poison_is_put_aside_and_a_message_that_breaks_something_harms_no_other(
    partition: Partition, monkeypatch: pytest.MonkeyPatch
) -> None:
    good = mention(STORY.messages[0])
    partition.take(good, msgspec.structs.replace(good, id="2", account_id=""))
    before = partition.ledger()

    take = TopicSurges.take

    def broken(surges: TopicSurges, message: CustomerMessage) -> list[SurgeNews]:
        news = take(surges, message)
        if message.id == "3":
            raise ArithmeticError("planted")
        return news

    with monkeypatch.context() as patch:
        patch.setattr("agents.domain.issue_watch.TopicSurges.take", broken)
        partition.take(msgspec.structs.replace(good, id="3"), at=2**51)
    partition.take(msgspec.structs.replace(good, id="3"))

    assert [reason for _, reason, _ in partition.effects.rejected] == ["key_mismatch", "calculation_failed"]
    assert before.applied == 1
    assert partition.ledger().applied == 2
    assert partition.ledger().rejected == 2


def test_the_memory_is_written_whole_now_and_then_and_bounded_in_clocks(
    partition: Partition, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(issue_memory, "LEAST_JOURNAL_BYTES", 2_000)
    monkeypatch.setattr(issue_memory, "PART_BYTES", 3_000)
    for clock in ("wall", *(f"simulation:{number}" for number in range(6))):
        found = [mention(message, clock) for message in STORY.messages[:150]]
        partition.take(*found, at=2**51, batch=10)

    ledger = partition.ledger()
    assert list(ledger.clocks) == ["wall", *(f"simulation:{number}" for number in range(3, 6))]
    assert all(book.parts > 1 and book.journal_bytes <= book.state_bytes for book in ledger.clocks.values())
    kept = sum(book.parts + book.journals for book in ledger.clocks.values())
    assert len(partition.states.states) == kept + 1


def test_who_breaks_the_counting_is_put_aside_alone_and_can_be_sent_again(
    partition: Partition, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, bad, *later = (mention(message) for message in STORY.messages[:6])
    add = ThemeMarks.add

    def broken(marks: ThemeMarks, message: CustomerMessage, at: Instant) -> int:
        number = add(marks, message, at)
        if message.id == bad.id:
            raise ArithmeticError("planted")
        return number

    with monkeypatch.context() as patch:
        patch.setattr("agents.domain.topic_surge.ThemeMarks.add", broken)
        partition.take(first, bad)
        partition.take(*later)
        partition.tick((partition.wake_at() or 0) + HOUR_US)
        state = IssueMemory(partition.states).watch("wall").state
    ((record, reason, detail),) = partition.effects.rejected

    assert (record.offset, record.key, reason, detail) == (
        1,
        bad.account_id.encode(),
        "calculation_failed",
        "ArithmeticError: planted",
    )
    assert decode(Mention, record.value) == bad
    ledger = partition.ledger()
    assert (ledger.applied, ledger.rejected) == (5, 1)
    assert [message.id for message in state.surges.messages.values()] == [first.id, *(each.id for each in later)]
    assert partition.wake_at() is None

    partition.take(bad)
    assert (partition.ledger().applied, partition.ledger().rejected) == (6, 1)


def test_a_step_that_cannot_be_taken_stops_neither_time_nor_forgetting_of_others(
    partition: Partition, monkeypatch: pytest.MonkeyPatch
) -> None:
    both = [mention(STORY.messages[0], clock) for clock in ("wall", "simulation:1")]
    partition.take(*both, at=2**51)
    account = both[0].account_id
    take = IssueWatch.take
    failing = [Passed, Forgot]

    def broken(watch: IssueWatch, step: Step) -> Taken:
        if type(step) in failing:
            failing.remove(type(step))
            raise ArithmeticError("planted")
        return take(watch, step)

    with monkeypatch.context() as patch:
        patch.setattr("agents.domain.issue_watch.IssueWatch.take", broken)
        partition.tick((partition.wake_at() or 0) + HOUR_US)
        partition.take(Control(id="f", kind="account_forgotten", as_of=to_datetime(0), account_id=account))

    assert [reason for _, reason, _ in partition.effects.rejected] == ["calculation_failed"] * 2
    assert partition.ledger().rejected == 0
    assert partition.effects.forgotten == [(ALERTS, account)]
    memory = IssueMemory(partition.states)
    assert [account in memory.watch(clock).state.silences.accounts for clock in memory.clocks] == [True, False]
