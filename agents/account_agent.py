"""The account agent: SLA events, signals and enrichments of one partition in, adherence, health and alerts out.

A thin body. It decodes records, keeps them exactly-once by their positions, lets `agents.domain.account` decide, and
tells the ports. `streams.lane` calls it with what `agents.conversation_agent` and the connectors wrote; readers of its
topics have the results next. Within a batch every account is read once and written once, and told about once.
"""

from collections.abc import Sequence

from msgspec.structs import replace

from agents import forgetting
from agents.account_books import take_back
from agents.account_check import OwnWay, blame, event_in, is_enrichment, is_sla_event
from agents.care_rollups import CareRollups
from agents.domain.account import WALL, Account, News
from agents.domain.family import is_word
from agents.domain.health_profile import HealthProfile
from agents.domain.instant import Instant, from_datetime
from agents.domain.scoring import Scorer
from agents.domain.signal_catalogue import DEFAULT_PROFILE
from agents.health_activation import MOST_AT_A_TICK, HealthActivation
from agents.import_clock import BEFORE_EVERY_TICK, UPON_RELEASE, is_import, keep_released
from agents.ports import LEDGER_PREFIX, Effects, Record, States
from schemas.account_state import (
    AccountLedger,
    AccountState,
    ForgettingState,
    decode_account_state,
    encode_account_state,
)
from schemas.codec import ContractViolation, contract_in, decode
from schemas.control import Control
from schemas.enrichment import Enrichment
from schemas.signal import Signal
from schemas.sla_event import SlaEvent

LEDGER_KEY = LEDGER_PREFIX + "ledger"


class _OpenAccount:
    """An account in this batch, with what is needed to go back: the state as it was, and what it has taken since."""

    __slots__ = ("account", "before", "taken")

    def __init__(self, account: Account, before: bytes | None) -> None:
        self.account = account
        self.before = before
        self.taken: list[Record] = []


class AccountAgent:
    """Implements `agents.ports.Agent` for one partition of the topics `sla-events`, `signals` and `enrichments`.

    `figures` are for `CareRollups`: which care figures nobody wants to be kept.
    """

    def __init__(
        self, states: States, effects: Effects, profile: HealthProfile = DEFAULT_PROFILE, **figures: bool
    ) -> None:
        self._states = states
        self._effects = effects
        self._scorer = Scorer(profile)
        self._care = CareRollups(states, effects, **figures)
        self._ledger = AccountLedger()
        self._health = HealthActivation(self._ledger)
        self._open: dict[str, _OpenAccount] = {}

    @property
    def ledger(self) -> AccountLedger:
        """The partition's books as of its last batch, whoever has worked on it."""
        return self._load_ledger()

    def process(self, records: Sequence[Record], observed_at: Instant) -> None:  # noqa: ARG002 - decides nothing here
        """Apply a batch in log order. Control records settle what came before them, so that time passes in between."""
        self._ledger = self._load_ledger()
        self._health = HealthActivation(self._ledger)
        self._open = {}
        for record in records:
            if is_sla_event(record):
                self._take_event(record)
            elif is_enrichment(record):
                self._take_enrichment(record)
            else:
                self._take_signal_or_control(record)
        self._settle()
        if records:
            self._care.settle(records[-1].partition)
        books = encode_account_state(self._ledger)
        # With a sweep under way the next tick is due at once.
        self._states.put(LEDGER_KEY, books, WALL, BEFORE_EVERY_TICK if self._health.is_sweeping else None)

    def _load_ledger(self) -> AccountLedger:
        data = self._states.get(LEDGER_KEY)
        return AccountLedger() if data is None else decode_account_state(AccountLedger, data)

    # records

    def _take_event(self, record: Record) -> None:
        ledger = self._ledger
        try:
            found = contract_in(record.headers, SlaEvent)
            if found is Control:
                self._take_control(record)
                return
            event, at = event_in(record, SlaEvent, found)
        except ContractViolation as violation:
            ledger.sla_rejected += 1
            self._effects.reject(record, violation.reason, violation.detail)
            return
        cause = event.cause
        position = (cause.offset, cause.index)
        if position <= ledger.sla_positions.get(cause.partition, (-1, 0)):
            ledger.sla_duplicate += 1
            return
        ledger.sla_positions[cause.partition] = position
        if ledger.forgetting and forgetting.is_of_old_life(ledger.forgetting, event):
            ledger.sla_applied += 1  # to what is forgotten with it
            return
        opened = self._opened(event.account_id, event.clock)
        try:
            opened.account.take_event(event, at)
        except Exception as error:  # noqa: BLE001 - whatever one event breaks, its neighbours go on
            self._undo(opened)
            ledger.sla_rejected += 1
            self._effects.reject(record, *blame(error))
            return
        opened.taken.append(record)
        ledger.sla_applied += 1

    def _take_signal_or_control(self, record: Record) -> None:
        ledger = self._ledger
        is_repeated = record.offset <= ledger.signal_offsets.get(record.partition, -1)
        if not is_repeated:
            ledger.signal_offsets[record.partition] = record.offset
        try:
            found = contract_in(record.headers, Signal)
            if found is Control:
                if not is_repeated:
                    self._take_control(record)
                return
            if is_repeated:
                ledger.duplicate += 1
                return
            signal, at = event_in(record, Signal, found)
        except ContractViolation as violation:
            ledger.rejected += 1
            self._effects.reject(record, violation.reason, violation.detail)
            return
        self._take_signal(record, signal, at)

    def _take_signal(self, record: Record, signal: Signal, at: Instant) -> None:
        ledger = self._ledger
        told_of = signal.name if signal.kind == "child" else signal.account_id
        if any(
            forgetting.is_forgotten(ledger.forgotten, each, signal.clock, at) for each in {signal.account_id, told_of}
        ):
            ledger.late += not is_word(signal)
            return
        is_history = is_import(signal.clock)
        signal = self._lives_on(signal)
        opened = self._opened(signal.account_id, signal.clock)
        try:
            verdict = opened.account.take_signal(signal, at, is_history=is_history)
        except Exception as error:  # noqa: BLE001 - whatever one signal breaks, its neighbours go on
            self._undo(opened)
            ledger.rejected += not is_word(signal)
            self._effects.reject(record, *blame(error))
            return
        is_counted = not is_word(signal)
        ledger.duplicate += is_counted and verdict == "duplicate"
        ledger.late += is_counted and verdict == "late"
        if verdict == "applied":
            opened.taken.append(record)
            ledger.applied += is_counted

    def _lives_on(self, found: OwnWay) -> OwnWay:
        """What goes its own way to the accounts may come when everything of its import was handed over."""
        return replace(found, clock=WALL) if found.clock in self._ledger.released else found

    def _take_enrichment(self, record: Record) -> None:
        ledger = self._ledger
        if record.offset <= ledger.enrichment_offsets.get(record.partition, -1):
            return
        ledger.enrichment_offsets[record.partition] = record.offset
        try:
            found = contract_in(record.headers, Enrichment)
            if found is Control:
                return  # a forgetting, which is for the sink: agents hear of it among the SLA events
            enrichment, at = event_in(record, Enrichment, found)
        except ContractViolation as violation:
            ledger.enrichment_rejected += 1
            self._effects.reject(record, violation.reason, violation.detail)
            return
        if ledger.forgotten and forgetting.is_forgotten(ledger.forgotten, enrichment.account_id, enrichment.clock, at):
            ledger.enrichment_late += 1
            return
        enrichment = self._lives_on(enrichment)
        opened = self._opened(enrichment.account_id, enrichment.clock)
        try:
            verdict = opened.account.take_enrichment(enrichment, at)
        except Exception as error:  # noqa: BLE001 - whatever one judgement breaks, its neighbours go on
            self._undo(opened)
            ledger.enrichment_rejected += 1
            self._effects.reject(record, *blame(error))
            return
        ledger.enrichment_duplicate += verdict == "duplicate"
        ledger.enrichment_late += verdict == "late"
        if verdict == "applied":
            opened.taken.append(record)
            ledger.enrichment_applied += 1

    def _take_control(self, record: Record) -> None:
        try:
            control = decode(Control, record.value)
            as_of = from_datetime(control.as_of)
        except ContractViolation as violation:
            self._effects.reject(record, violation.reason, violation.detail)
            return
        except ValueError as error:
            self._effects.reject(record, "impossible_time", str(error))
            return
        if control.kind == "account_forgotten":
            self._settle()
            self._forget(record, control, min(as_of, record.appended_at))
            return
        if not self._is_heeded(control):
            return
        ledger = self._ledger
        if control.kind == "tick":
            self._settle()
            # A worker whose clock runs fast moves nobody's time: the broker saw the tick at `appended_at`.
            self._tick(record, control, min(as_of, record.appended_at) if control.clock == WALL else as_of)
        elif control.kind == "clock_released":
            self._settle()
            keep_released(ledger.released, control.clock)
            self._release(record, control.clock)
        elif control.kind == "health_activated":
            self._settle()
            try:
                self._health.take(control)
            except ContractViolation as violation:
                self._effects.reject(record, violation.reason, violation.detail)

    def _is_heeded(self, control: Control) -> bool:
        """Whether a control counts now: one that was relayed does so when the last partition has passed it on."""
        if control.relayed_from is None or control.relays is None:
            return True
        reported = self._ledger.relayed.setdefault(control.id, [])
        if control.relayed_from not in reported:
            reported.append(control.relayed_from)
        if len(reported) < control.relays:
            return False
        del self._ledger.relayed[control.id]
        return True

    # time

    def _tick(self, record: Record, control: Control, as_of: Instant) -> None:
        # A wake is the first instant at which something is different, so one at `as_of` itself is due.
        self._care.tick(control.clock, as_of, record.partition)
        is_live = control.clock == WALL
        due = self._states.due(control.clock, as_of + 1, MOST_AT_A_TICK if is_live else None)
        swept = self._health.next_swept(self._states) if is_live and len(due) < MOST_AT_A_TICK else []
        for account_id in dict.fromkeys((*due, *swept)):
            if account_id.startswith(LEDGER_PREFIX):
                continue
            opened = self._opened(account_id, control.clock)
            del self._open[account_id]  # each is met once: the next one takes its memory, which is still warm
            if opened.account.state.clock != control.clock:
                continue  # its own clock will judge it
            opened.account.wake(as_of, control.id)
            try:
                self._publish(opened)
            except Exception as error:  # noqa: BLE001 - one account must not stop the time of the others
                self._effects.reject(record, "calculation_failed", f"account {account_id}: {blame(error)[1]}")
                if opened.before is not None:  # asleep until its next event, or each tick would fail on it again
                    self._states.put(account_id, opened.before, control.clock)

    def _release(self, record: Record, clock: str) -> None:
        self._care.release(clock, WALL, record.partition)
        for account_id in self._states.release(clock, WALL):
            if account_id.startswith(LEDGER_PREFIX):
                continue
            account = self._opened(account_id, clock).account
            account.state.clock = WALL
            self._states.put(account_id, encode_account_state(account.state), WALL, account.wake_at())
        self._open = {}

    # forgetting

    def _forget(self, record: Record, control: Control, until: Instant) -> None:
        """Drop what is known of an account with the first partition that passes its forgetting on.

        What the others still tell is of the old life until they have passed it on too.
        """
        ledger = self._ledger
        try:
            accounts = forgetting.forgotten_accounts(control)
        except ContractViolation as violation:
            self._effects.reject(record, violation.reason, violation.detail)
            return
        forgetting.keep_forgotten(ledger.forgotten, accounts, until)
        state = ledger.forgetting.setdefault(control.id, ForgettingState([]))
        for account_id in accounts:
            if account_id not in state.accounts:
                state.accounts.append(account_id)
                self._drop(record, account_id, control, until)
                self._forget_relative(account_id, control.id)
        if control.relayed_from is not None and control.relayed_from not in state.passed_on:
            state.passed_on.append(control.relayed_from)
        if len(state.passed_on) >= (control.relays or 0):
            ledger.forgetting = forgetting.still_forgetting(ledger.forgetting, state.accounts)

    def _drop(self, record: Record, account_id: str, control: Control, until: Instant) -> None:
        before = self._states.get(account_id)
        if before is None:
            return
        account = Account(account_id, decode_account_state(AccountState, before))
        for topic, key in account.published():
            self._effects.forget(topic, key)
        self._states.drop(account_id)
        self._care.forget(account_id, account.state.clock, record.partition)
        if account.begin_anew(until, control.id):
            self._publish(_OpenAccount(account, None))

    def _forget_relative(self, account_id: str, cause_id: str) -> None:
        for relative in forgetting.those_mentioning(self._states, account_id):
            opened = self._opened(relative, WALL)
            if opened.account.forget_relative(account_id, cause_id):
                self._publish(opened)
        self._open = {}

    # accounts

    def _opened(self, account_id: str, clock: str) -> _OpenAccount:
        opened = self._open.get(account_id)
        if opened is None:
            before = self._states.get(account_id)
            state = AccountState(clock=clock) if before is None else decode_account_state(AccountState, before)
            opened = self._open[account_id] = _OpenAccount(Account(account_id, state), before)
        return opened

    def _undo(self, opened: _OpenAccount) -> None:
        """Rebuild an account without the record that broke it: from the state before, with all that it took since."""
        account_id = opened.account.id
        del self._open[account_id]
        if not opened.taken:
            return
        for record in opened.taken:
            if is_sla_event(record):
                event, at = event_in(record, SlaEvent, SlaEvent)
                self._opened(account_id, event.clock).account.take_event(event, at)
            elif is_enrichment(record):
                enrichment, at = event_in(record, Enrichment, Enrichment)
                enrichment = self._lives_on(enrichment)
                self._opened(account_id, enrichment.clock).account.take_enrichment(enrichment, at)
            else:
                signal, at = event_in(record, Signal, Signal)
                is_history = is_import(signal.clock)
                signal = self._lives_on(signal)
                self._opened(account_id, signal.clock).account.take_signal(signal, at, is_history=is_history)
        self._open[account_id].taken = opened.taken

    def _settle(self) -> None:
        for opened in self._open.values():
            try:
                self._settle_account(opened)
            except Exception as error:  # noqa: BLE001 - the account stays as it was, its neighbours go on
                self._reject_all(opened, error)
        self._open = {}

    def _settle_account(self, opened: _OpenAccount) -> None:
        """An import tells its conversations one by one, so its accounts are known when the last one is: at its tick."""
        account = opened.account
        if not is_import(account.state.clock):
            self._publish(opened)
            return
        for topic, key, event in account.wait():
            self._effects.emit(topic, key, event)
        self._states.put(account.id, encode_account_state(account.state), account.state.clock, BEFORE_EVERY_TICK)
        self._care.add(account.id, account.state.as_of, account.care.deltas)

    def _publish(self, opened: _OpenAccount) -> None:
        account = opened.account
        news: list[News] = account.settle(self._scorer, self._health.shelf)
        state = encode_account_state(account.state)
        wake_at = account.wake_at()
        if wake_at is None and is_import(account.state.clock):
            wake_at = UPON_RELEASE
        for topic, key, event in news:
            self._effects.emit(topic, key, event)
        self._states.put(account.id, state, account.state.clock, wake_at)
        self._care.add(account.id, account.state.as_of, account.care.deltas)

    def _reject_all(self, opened: _OpenAccount, error: Exception) -> None:
        for record in opened.taken:
            take_back(self._ledger, record)
            self._effects.reject(record, "calculation_failed", blame(error)[1])
