"""The issue agent: mentions of all customers in, issues and their alerts out.

A thin body over one partition, because a theme rises across accounts: who wrote, and by which words, comes in one order
for all (`streams.enrich`), and so do ticks, rules and forgettings. It decodes, lets `agents.domain.issue_watch` decide,
and tells the ports; `agents.issue_memory` remembers. One lane of one worker runs it, and a worker that takes it over
goes on with the same issues under the same names.
"""

from collections.abc import Iterable, Sequence

from agents.domain.instant import Instant, from_datetime, to_datetime
from agents.domain.issue_alert import alert_of
from agents.domain.issue_rules import UnusableRulesError, from_published
from agents.domain.issue_watch import Taken
from agents.domain.normalisation import MILLION
from agents.forgetting import forgotten_accounts
from agents.interaction_check import SKEW_US, WALL
from agents.issue_memory import LEDGER_KEY, IssueMemory
from agents.ports import LEDGER_PREFIX, Effects, Record, States
from agents.topic_rollups import TopicRollups
from schemas.codec import ContractViolation, contract_in, decode, encode, headers_of
from schemas.control import Control
from schemas.issue import Issue
from schemas.issue_state import CustomerMessage
from schemas.mention import Mention
from schemas.topics import ALERTS, ISSUES
from schemas.watch_state import Forgot, IssueLedger, Passed, Step, Wrote

_SOURCE = "careline/issues"


class IssueAgent:
    """Implements `agents.ports.Agent` for the one partition of the topic `mentions`."""

    def __init__(self, states: States, effects: Effects) -> None:
        self._states = states
        self._effects = effects
        self._memory = IssueMemory(states)
        self._topics = TopicRollups(states, effects)

    @property
    def ledger(self) -> IssueLedger:
        """The books as of the last batch."""
        return self._memory.ledger

    def process(self, records: Sequence[Record], observed_at: Instant) -> None:  # noqa: ARG002 - decides nothing here
        """Apply a batch in log order."""
        ledger = self._memory.ledger
        for record in records:
            if record.offset < ledger.next_offset:
                continue
            ledger.next_offset = record.offset + 1
            try:
                if contract_in(record.headers, Mention) is Control:
                    self._take_control(decode(Control, record.value), record)
                else:
                    self._take_mention(decode(Mention, record.value), record)
            except ContractViolation as violation:
                ledger.rejected += not _is_control(record)
                self._effects.reject(record, violation.reason, violation.detail)
        clocks = self._memory.clocks
        self._memory.save()
        if records:
            self._topics.settle(records[-1].partition)
        for clock in set(clocks).difference(ledger.clocks):
            self._topics.forget_clock(clock)
        wake_at = self._memory.watch(WALL).wake_at() if WALL in ledger.clocks else None
        self._states.put(LEDGER_KEY, self._memory.encoded_ledger(), WALL, wake_at)

    def _take_mention(self, mention: Mention, record: Record) -> None:
        step = Wrote(
            mention.id,
            mention.account_id,
            _moment_of(mention, record),
            mention.words,
            record.offset,
            _sentiment_of(mention),
        )
        taken = self._taken(mention.clock, step, record)
        match taken.verdict:
            case "applied":
                self._memory.ledger.applied += 1
            case "duplicate":
                self._memory.ledger.duplicate += 1
            case "late":
                self._memory.ledger.late += 1
        self._tell(taken.told)

    def _taken(self, clock: str, step: Step, record: Record, *, whole: bool = False) -> Taken:
        """What became of a step. Earlier messages that turn out to be uncountable are put aside as themselves.

        Raises:
            ContractViolation: it broke something. Whatever that is, the others go on.
        """
        try:
            taken = self._memory.take(clock, step, whole=whole)
        except Exception as error:
            self._memory.undo(clock)
            raise ContractViolation("calculation_failed", f"{type(error).__name__}: {error}") from error
        self._topics.add(clock, taken.counted)
        for message, because in taken.uncounted:
            self._memory.ledger.applied -= 1
            self._memory.ledger.rejected += 1
            if message.id:  # else its account is forgotten, and nobody may be told of it
                self._effects.reject(_record_of(message, clock, record), "calculation_failed", because)
        return taken

    def _tell(self, told: Iterable[Issue]) -> None:
        for issue in told:
            self._effects.emit(ISSUES, issue.issue_id, issue)
            alert = alert_of(issue)
            if alert is not None:
                self._effects.emit(ALERTS, alert.account_id or issue.issue_id, alert)

    def _take_control(self, control: Control, record: Record) -> None:
        if control.kind == "tick":
            as_of = from_datetime(control.as_of)
            self._tick(control.clock, min(as_of, record.appended_at) if control.clock == WALL else as_of, record)
        elif control.kind == "account_forgotten":
            self._forget(control, record)
        elif control.kind == "issues_activated":
            try:
                rules = from_published(control.policy_text or "")
            except UnusableRulesError as error:
                raise ContractViolation("contract_violation", f"issue rules: {error}") from None
            self._memory.use(rules, control.policy_text or "")

    def _forget(self, control: Control, record: Record) -> None:
        accounts = forgotten_accounts(control)
        for clock in self._memory.clocks:
            try:
                self._tell(self._taken(clock, Forgot(accounts), record, whole=True).told)
            except ContractViolation as violation:  # the other clocks forget, and so do the readers
                self._effects.reject(record, violation.reason, f"clock {clock}: {violation.detail}")
        self._effects.relay(ISSUES, control)
        for account in accounts:
            self._effects.forget(ALERTS, account)

    def _tick(self, clock: str, as_of: Instant, record: Record) -> None:
        """Let pass what time was waited for, and no more: what customers wrote before may be on its way still."""
        self._topics.tick(clock, as_of, record.partition)
        if clock not in self._memory.clocks:
            return
        while (wake_at := self._memory.watch(clock).wake_at()) is not None and wake_at <= as_of:
            self._tell(self._taken(clock, Passed(wake_at), record).told)


def _record_of(message: CustomerMessage, clock: str, noticed_at: Record) -> Record:
    """The record of a mention that was taken in before, written again: its bytes are no longer at hand."""
    at = to_datetime(message.at)
    mention = Mention(
        id=message.id,
        account_id=message.account,
        occurred_at=at,
        words=message.words,
        clock=clock,
        sentiment=None if message.sentiment is None else message.sentiment / MILLION,
    )
    return Record(
        topic=noticed_at.topic,
        partition=noticed_at.partition,
        offset=message.offset,
        key=message.account.encode(),
        value=encode(mention),
        headers=headers_of(mention, _SOURCE, mention.id, at),
        appended_at=noticed_at.appended_at,
    )


def _is_control(record: Record) -> bool:
    try:
        return contract_in(record.headers, Mention) is Control
    except ContractViolation:
        return False  # of an unknown type, it is an event all the same


def _sentiment_of(mention: Mention) -> int | None:
    return None if mention.sentiment is None else round(max(-1.0, min(1.0, mention.sentiment)) * MILLION)


def _moment_of(mention: Mention, record: Record) -> Instant:
    """When it was written, if that and whose it is can be.

    Raises:
        ContractViolation: with the reason why not.
    """
    if record.key != mention.account_id.encode() or not mention.account_id:
        raise ContractViolation("key_mismatch", f"key {record.key!r:.80}, account_id {mention.account_id[:80]!r}")
    if mention.account_id.startswith(LEDGER_PREFIX) or mention.clock.startswith(LEDGER_PREFIX):
        raise ContractViolation("contract_violation", "an account or a clock that nobody has - at `$.account_id`")
    try:
        at = from_datetime(mention.occurred_at)
    except (ValueError, OverflowError) as error:
        raise ContractViolation("impossible_time", f"{error} - at `$.occurred_at`") from None
    if mention.clock == WALL and at > record.appended_at + SKEW_US:
        raise ContractViolation("from_the_future", f"{mention.occurred_at.isoformat()} - at `$.occurred_at`")
    return at
