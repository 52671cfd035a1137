"""A rich life for each agent, as the records of one partition: what `record_states` records, half way through.

Conversations are answered, missed, paused, reopened, merged, corrected, linked, imported and forgotten, under two
versions of the policies. Accounts get what came of it, signals of every kind, a family, sentiments and profiles of
their own. Issues get a theme that rises, accounts that stop writing, and rules. The same words on every run.
"""

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from random import Random
from typing import Any

from agents.conversation_agent import ConversationAgent
from agents.domain.health_shelf import to_published
from agents.domain.instant import from_datetime
from agents.domain.issue_rules import IssueRules, OwnerRule
from agents.domain.issue_rules import to_published as to_published_rules
from agents.domain.message_words import words_of
from agents.partition_controls import tick
from agents.ports import Record
from schemas.control import Control, ControlKind
from schemas.enrichment import Enrichment
from schemas.interaction import Interaction
from schemas.mention import Mention
from schemas.signal import Signal
from schemas.sla_event import SlaEvent
from schemas.topics import ENRICHMENTS, INTERACTIONS, MENTIONS, SIGNALS, SLA_EVENTS, TopicSpec
from streams.health_files.profile_reader import read_profile_text
from streams.lane.partition_states import PartitionStates
from streams.policy_files.problem import Problems
from tests.conversation_stories import MONDAY, activation, event, policy, target, warn_at
from tests.doubles import ListEffects, record_of
from tests.message_stories import message_text

APPENDED_AT = from_datetime(MONDAY + timedelta(days=400))
ACCOUNTS = ("acme", "globex", "initech", "umbrella")
IMPORT = "import:history"
PROFILE = """
version: recorded
profiles:
  - {id: groups, when: {tier: group}, children: mean, components: {all: {weight: 1, signals: {pulse: 1}}}}
  - id: everyone
    components:
      service: {weight: 60, signals: {adherence_7d: 2, overdue_clocks: 1, contact_volume: 1}}
      voice: {weight: 30, signals: {csat: 1, nps: 1, sentiment: 2}}
      use: {weight: 10, signals: {logins: 1, goals_overdue: 1, payment_overdue_days: 1}}
    caps: [{when: {overdue_clocks: ">= 1"}, at_most: 69, because: something is overdue}]
signals:
  logins: {normalise: {linear: {from: 0, to: 20}}, half_life: 14d, ttl: 60d}
plays:
  - {id: ask, when: {nps: ">= 9"}, action: Ask for a reference, owner: account}
"""
RULES = IssueRules(version="1", owners=(OwnerRule(owner="support"),))

Event = Interaction | Control | SlaEvent | Signal | Enrichment | Mention


def lives() -> dict[str, list[Record]]:
    """The records of each agent's partition, in the order of their offsets."""
    conversations = conversation_life()
    told = ListEffects()
    ConversationAgent(PartitionStates(), told).process(conversations, APPENDED_AT)
    facts = [each for each in told.on(SLA_EVENTS) if isinstance(each, SlaEvent)]
    return {"conversation": conversations, "account": account_life(facts), "issue": issue_life()}


def _moment(days: float) -> datetime:
    return MONDAY + timedelta(days=days)


def _control(kind: ControlKind, days: float, **more: Any) -> Control:
    return Control(id=f"{kind}@{days}", kind=kind, as_of=_moment(days), **more)


def _in_order(events: Sequence[Event], days: int) -> list[Event]:
    """By their time, with a tick at six each evening."""
    ticks = [tick("wall", from_datetime(_moment(day + 0.75))) for day in range(days)]
    return sorted([*events, *ticks], key=_time_of)


def _time_of(each: Event) -> datetime:
    return each.as_of if isinstance(each, Control) else each.occurred_at


# conversations


def conversation_life() -> list[Record]:
    """A fortnight of one partition of interactions."""
    first = policy([target("follow_up", "8:00")], warn_at=warn_at("75%"))
    second = policy([target("first_response", "1:00")], version="2", effective_from=_moment(4))
    log: list[Event] = [activation(first), _control("source_declared", 0, source="slow", settle_seconds=60)]
    log += _in_order([*_talks(), *_particular(), activation(second, _moment(4)), *_controls()], 14)
    log += [tick(IMPORT, from_datetime(_moment(3))), _control("clock_released", 13.9, clock=IMPORT)]
    # Two that come late, and one that is told twice.
    log += [event(_moment(11.3), "agent", conversation_id="talk-27"), event(_moment(12.4), "customer", id="again")]
    log += [event(_moment(12.4), "customer", id="again"), tick("wall", from_datetime(_moment(15)))]
    return _records(INTERACTIONS, log, lambda each: getattr(each, "conversation_id", None))


def _talks() -> Iterator[Interaction]:
    dice = Random(5)
    for number in range(28):
        about: dict[str, Any] = {
            "conversation_id": f"talk-{number}",
            "account_id": ACCOUNTS[number % len(ACCOUNTS)],
            "channel": ("email", "chat", "phone")[number % 3],
            "tier": "group" if number % len(ACCOUNTS) == 3 else "gold",
            "team": ("care", "sales")[number % 2],
            "source": "slow" if number % 7 == 0 else "test",
        }
        at = _moment(number * 0.45 + 0.35)
        yield event(at, "customer", **about, priority=("normal", "urgent")[number % 5 == 0])
        for _ in range(dice.randrange(5)):
            at += timedelta(minutes=dice.choice((10, 90, 400)) + dice.random())
            what = dice.choice(("agent", "agent", "customer", "note", "status", "priority", "auto-reply"))
            value = {"status": dice.choice(("waiting_on_customer", "open", "resolved")), "priority": "high"}.get(what)
            yield event(at, what, value, **about)


def _particular() -> Iterator[Interaction]:
    """What happens to few of them."""
    yield event(_moment(1.1), "assigned", {"team": "sales", "agent": "a7"}, conversation_id="talk-1")
    yield event(_moment(2.2), "tagged", ("vip",), conversation_id="talk-3")
    yield event(_moment(2.3), "due_set", ("first_resolution", "sat 12:00"), conversation_id="talk-4")
    yield event(_moment(2.4), "merged", "talk-2", conversation_id="talk-5")
    yield event(_moment(2.5), "account_id", "globex", conversation_id="talk-2")
    for number, at in enumerate((0.4, 0.9, 1.6)):
        yield event(_moment(at), ("customer", "agent", "customer")[number], conversation_id="told", clock=IMPORT)
    yield event(_moment(3.1), "customer", id="mended", conversation_id="talk-6", version=1)
    yield event(_moment(3.1), "note", id="mended", conversation_id="talk-6", version=2)
    yield event(_moment(3.2), "status", "resolved", conversation_id="talk-6")
    yield event(_moment(3.6), "customer", conversation_id="talk-6")
    yield event(
        _moment(3.7),
        "survey_response",
        conversation_id="talk-6",
        kind="csat",
        score=1.0,
        scale=5.0,
        account_id="initech",
    )


def _controls() -> Iterator[Control]:
    yield _control("heartbeat", 5.5, source="slow")
    yield _control("account_linked", 6.5, account_id="umbrella", into="globex")
    yield _control("account_forgotten", 9.5, account_id="initech")


# accounts


def account_life(facts: Sequence[SlaEvent]) -> list[Record]:
    """What came of these conversations, and all that accounts hear besides, in the order of one partition."""
    file = read_profile_text(PROFILE, problems := Problems("recorded"))
    if file is None:
        raise SystemExit("\n".join(problem.as_line() for problem in problems.errors))
    # Facts stay in the order of their cause, as a partition of conversations tells them.
    log: list[Event] = []
    beside = _in_order([*_signals(), *_sentiments(), *_account_controls(to_published(file))], 15)
    for fact in facts:
        while beside and fact.clock == "wall" and _time_of(beside[0]) < fact.occurred_at:
            log.append(beside.pop(0))
        log.append(fact)
    return _records(SIGNALS, [*log, *beside], lambda each: getattr(each, "account_id", None))


def _account_controls(profile: str) -> Iterator[Control]:
    yield _control("health_activated", 5.2, policy_text=profile)
    for source in (0, 1):
        yield _control("account_forgotten", 9.6, account_id="initech", relayed_from=source, relays=2)


def _signals() -> Iterator[Signal]:
    dice = Random(6)
    for number in range(60):
        kind, name, more = (
            ("survey", "csat", {"value": float(dice.randrange(1, 6)), "scale": 5.0}),
            ("survey", "nps", {"value": float(dice.randrange(11)), "scale": 10.0}),
            ("survey", "ces", {"value": float(dice.randrange(1, 8)), "scale": 7.0}),
            ("usage", "logins", {"value": float(dice.randrange(20))}),
            ("subscription", ("started", "mrr")[number % 2], {"value": 100.0 * dice.randrange(1, 9)}),
            ("onboarding", ("onboarding_started", "first_value")[number % 2], {}),
            ("goal", "go live", {"value": dice.random(), "until": _moment(dice.randrange(14))}),
            ("pulse", "pulse", {"value": float(dice.randrange(100))}),
            ("advocacy", "reference", {}),
        )[number % 9]
        yield _signal(number, kind, name, ACCOUNTS[number % len(ACCOUNTS)], number * 0.23, **more)
    yield _signal(100, "parent", "parent", "acme", 4.4, text="umbrella")
    yield _signal(101, "parent", "parent", "globex", 6.4, text="umbrella")
    yield _signal(102, "override", "override", "acme", 7.1, value=20.0, text="a new owner", until=_moment(12))
    yield _signal(103, "survey", "csat", "globex", 1.0, value=9.0, scale=5.0)  # not on its scale
    child = {"source": "careline/accounts", "weight": 3.0}
    yield _signal(104, "child", "acme", "umbrella", 6.6, value=55.0, **child)
    yield _signal(105, "ancestors", "ancestors", "acme", 6.7, accounts=("umbrella",), source="careline/accounts")


def _signal(number: int, kind: Any, name: str, account: str, days: float, **more: Any) -> Signal:
    fields = {"source": "test"} | more
    return Signal(
        id=f"signal-{number}",
        account_id=account,
        occurred_at=_moment(days),
        kind=kind,
        name=name,
        tier="group" if account == "umbrella" else "gold",
        segment="industry" if account == "globex" else None,
        **fields,
    )


def _sentiments() -> Iterator[Enrichment]:
    dice = Random(7)
    for number in range(40):
        said = number // 2 if number % 8 == 7 else number  # some are judged anew
        yield Enrichment(
            id=f"talk/{said}/rules/{number % 2}",
            interaction_id=f"m{said}",
            conversation_id=f"talk-{said % 20}",
            account_id=ACCOUNTS[said % len(ACCOUNTS)],
            occurred_at=_moment(said * 0.33),
            scorer="careline-rules",
            scorer_version=str(number % 2),
            channel="email",
            sentiment=None if number % 9 == 8 else round(dice.uniform(-1, 1), 3),
        )


# issues


def issue_life() -> list[Record]:
    """Two weeks of messages: a theme that rises twice, an account that stops writing, rules from the fourth day on."""
    dice = Random(8)
    log: list[Event] = [
        _mention(f"m{number}", f"account-{dice.randrange(40)}", _moment(0.35 + number * 0.017), dice, None)
        for number in range(800)
    ]
    for began, count in ((6.4, 40), (12.4, 40)):
        log += [
            _mention(f"p{began}-{number}", f"account-{number % 30}", _moment(began + number * 0.004), dice, "printer")
            for number in range(count)
        ]
    log += [_mention(f"s{number}", "silent", _moment(0.4 + number * 0.25), dice, None) for number in range(32)]
    log += [
        _control("issues_activated", 3.9, policy_text=to_published_rules(RULES)),
        _control("account_forgotten", 10.2, account_id="account-7"),
    ]
    return _records(MENTIONS, _in_order(log, 16), lambda each: getattr(each, "account_id", None))


def _mention(name: str, account: str, at: datetime, dice: Random, about: str | None) -> Mention:
    text = f"the {about} smokes again and burns" if about else message_text(dice, dice.choice(("invoice", "export")))
    return Mention(
        id=f"c/{name}", account_id=account, occurred_at=at, words=tuple(word.text for word in words_of(text))
    )


def _records(topic: TopicSpec, log: Sequence[Event], key_of: Any) -> list[Record]:
    """The log as records, each in the topic of its contract: offsets count in each topic by itself."""
    topics: dict[type, TopicSpec] = {SlaEvent: SLA_EVENTS, Enrichment: ENRICHMENTS}
    offsets: dict[str, int] = {}
    found = []
    for each in log:
        home = topics.get(type(each), topic)
        if isinstance(each, Control) and topic is SIGNALS and each.kind == "account_forgotten":
            home = SLA_EVENTS
        key = None if isinstance(each, Control) else key_of(each)
        offset = offsets[home.name] = offsets.get(home.name, -1) + 1
        found.append(record_of(home, key, each, offset=offset, appended_at=APPENDED_AT))
    return found
