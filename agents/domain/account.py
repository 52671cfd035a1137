"""One account: how SLA events, signals and the passing of time change it, and what is told about it then.

`agents.account_agent` opens an `Account` on its remembered state, lets it take what a batch has for it, and settles it
once. All values are a function of (state, `as_of`), so the order in which events arrive does not matter, nor how they
were batched; only the band remembers how it got there, which is what hysteresis means.
"""

from typing import Literal, NamedTuple

from msgspec import Struct

from agents.domain import (
    account_health,
    adherence_report,
    care_facts,
    contact_volume,
    family,
    feedback_loops,
    live_health,
    next_actions,
    overdue,
    promise_windows,
    satisfaction,
    told_signals,
)
from agents.domain.account_health import note_mover
from agents.domain.account_news import breach_alert, burn_alerts, report, worst_alert
from agents.domain.care_notes import CareNotes
from agents.domain.error_budget import MILLION
from agents.domain.health_shelf import HealthShelf, default_book
from agents.domain.impossible import ImpossibleEventError
from agents.domain.instant import MINUTE_US, Instant
from agents.domain.outcome_cells import OutcomeCells
from agents.domain.promise_windows import MOVES, REVIEWS, Move, is_quiet, move_of, places_in_use
from agents.domain.scoring import Scorer
from schemas.account_state import AccountState, MetricState, ObjectiveState, SurveyAnswer
from schemas.alert import Alert
from schemas.enrichment import Enrichment
from schemas.interaction import Interaction
from schemas.signal import Signal
from schemas.sla_event import SlaEvent
from schemas.topics import ADHERENCE, ALERTS, HEALTH, INTERACTIONS, SIGNALS, TopicSpec

REMEMBERED_SIGNALS = 256
"""Ids of the latest signals by which a repeated delivery is recognised; an account is asked and measured less often in
a day."""

MOST_METRICS = 64
"""Eleven are known, and a policy declares a handful of its own."""

UNTOLD_PERIOD = "30d"
"""Over what an objective is promised of which an event says only how high it is."""

WALL = "wall"

_NO_PROFILES = HealthShelf(())

_MOVED_BY = {
    "resolved": ("reopen_rate", "first_contact_resolution"),
    "reopened": ("reopen_rate", "first_contact_resolution"),
    "escalated": ("escalations_30d",),
}
"""Signals that a fact moves."""

Verdict = Literal["applied", "duplicate", "late"]


class News(NamedTuple):
    """One thing to publish."""

    topic: TopicSpec
    key: str
    event: Struct


class Account:
    """Changes one `AccountState`. Cheap to make: one per account and batch."""

    __slots__ = ("_cells", "alerts", "care", "cause_id", "id", "said", "state", "touched")

    def __init__(self, account_id: str, state: AccountState) -> None:
        self.id = account_id
        self.state = state
        self.touched: set[str] = set()
        """Metrics whose figures have to be counted again."""
        self._cells: dict[str, OutcomeCells] = {}
        self.alerts: list[Alert] = []
        self.said: list[Interaction] = []
        """What the account has to say to conversations."""
        self.care = CareNotes(state.care)
        self.cause_id: str | None = None
        """The last record that was taken: the cause of what is told."""

    def take_event(self, event: SlaEvent, at: Instant) -> None:
        """Apply one SLA event, that happened at `at`.

        Raises:
            ImpossibleEventError: it does not say what its kind needs.
            ValueError: another of its instants has no time zone.
        """
        state = self.state
        kind = event.kind
        if kind in MOVES:
            self._move(event, at)
        elif kind in REVIEWS and event.metric in state.metrics:
            self._review(event, at)
        else:
            self.advance(at)
            if kind == "contact" and event.author_kind in {None, "customer"}:
                contact_volume.note(state.contacts, state, at)
                note_mover(state, "contact_volume", at, event.id)
            elif kind == "opened":
                contact_volume.note(state.openings, state, at)
            if event.metric is None:
                self.care.take_fact(event, at)
            self.said += feedback_loops.heard(state.memory, event, at)
            care_facts.note(state.memory, event, at)
            for signal in _MOVED_BY.get(kind, ()):
                note_mover(state, signal, at, event.id)
        self._meet(event, at)

    def _move(self, event: SlaEvent, at: Instant) -> None:
        name, state = event.metric, self.state
        if name is None or event.instance is None:
            raise ImpossibleEventError(f"{event.kind} needs both - at `$.metric`, `$.instance`")
        metric = state.metrics.get(name)
        move = move_of(event, at, metric if metric is not None else MetricState())
        if metric is None:
            if len(state.metrics) >= MOST_METRICS:
                raise ImpossibleEventError(f"an account has no more than {MOST_METRICS} metrics - at `$.metric`")
            metric = state.metrics[name] = MetricState()
        self._advance_to_decisions(at, move)
        promise_windows.apply(metric, self._cells_of(name), event, move)
        self._note_objective(name, event, at)
        self.touched.add(name)
        self._note_move(event, move, at)
        self.care.take_move(event, at, move)

    def _review(self, event: SlaEvent, at: Instant) -> None:
        name = event.metric or ""
        metric = self.state.metrics[name]
        self.advance(at)
        if promise_windows.review(metric, self._cells_of(name), event):
            self._note_objective(name, event, at)
            self.touched.add(name)

    def _note_objective(self, name: str, event: SlaEvent, at: Instant) -> None:
        metric = self.state.metrics[name]
        ratio, policy = event.objective_ratio, event.policy
        if ratio is not None and policy is not None:
            over = event.objective_over or UNTOLD_PERIOD
            said = ObjectiveState(at, round(ratio * MILLION), over)
            if adherence_report.note_objective(metric, policy, said):
                self._cells_of(name).ask_about(adherence_report.spans_of(metric))

    def _cells_of(self, name: str) -> OutcomeCells:
        cells = self._cells.get(name)
        if cells is None:
            metric = self.state.metrics[name]
            cells = self._cells[name] = OutcomeCells(metric, self.state.as_of, adherence_report.spans_of(metric))
        return cells

    def _advance_to_decisions(self, at: Instant, move: Move) -> None:
        self.advance(at)
        if move.put_in is not None:
            self.advance(move.put_in.at)
        if move.take_out is not None:
            self.advance(move.take_out.at)

    def _note_move(self, event: SlaEvent, move: Move, at: Instant) -> None:
        is_overdue, was_overdue = move.after == "breached", move.before == "breached"
        if move.put_in is not move.take_out:
            note_mover(self.state, "adherence_7d", at, event.id)
        if is_overdue or was_overdue:
            note_mover(self.state, "overdue_clocks", at, event.id)
        if is_overdue != was_overdue:
            self.alerts.append(breach_alert(event, "firing" if is_overdue else "resolved"))

    def take_signal(self, signal: Signal, at: Instant, *, is_history: bool = False) -> Verdict:
        """Apply one signal, that happened at `at`. What is history, told by an import, asks nobody to do anything.

        Returns:
            `late` for what is too old to change anything, `duplicate` for what was applied in this or a newer version.

        Raises:
            ImpossibleEventError: a value that its kind cannot have, such as an answer outside its scale.
        """
        state = self.state
        if signal.kind in family.FAMILY_KINDS:
            family.take(self.id, state.memory, signal, at)
            self.advance(at)
            self._meet(signal, at)
            return "applied"
        known_version = state.signal_ids.get(signal.id)
        if known_version is not None and known_version >= signal.version:
            return "duplicate"
        is_answer = signal.kind == "survey" and signal.name == "csat"
        answer = SurveyAnswer(at, signal.id, satisfaction.normalised(signal)) if is_answer else None
        self._remember(signal)
        if at + (satisfaction.TIME_TO_LIVE_US if is_answer else told_signals.TOO_OLD_US) <= state.as_of:
            return "late"
        self.advance(at)
        told_signals.take(state.memory, signal, at, is_correction=known_version is not None)
        if answer is not None:
            satisfaction.take(state.answers, answer)
            note_mover(state, "csat", at, signal.id)
        if not is_history:
            self.said += feedback_loops.opened(state.memory, signal, at)
        self.care.take_signal(signal, at)
        self._meet(signal, at)
        return "applied"

    def take_enrichment(self, enrichment: Enrichment, at: Instant) -> Verdict:
        """Apply what a message, written at `at`, was found to feel like. Of several judgements the last one counts.

        Returns:
            `duplicate` for what is known already, `late` for what lies before all that is remembered.
        """
        state = self.state
        if at + told_signals.TOO_OLD_US <= state.as_of:
            return "late"
        learnt = told_signals.take_sentiment(state.memory, enrichment, at)
        if isinstance(learnt, str):
            return learnt
        self.advance(at)
        self.cause_id = enrichment.id
        if enrichment.clock == WALL:
            state.clock = WALL
        self.care.take_sentiment(enrichment, at, state.clock, *learnt)
        return "applied"

    def _remember(self, signal: Signal) -> None:
        known = self.state.signal_ids
        known.pop(signal.id, None)
        known[signal.id] = signal.version
        if len(known) > REMEMBERED_SIGNALS:
            del known[next(iter(known))]

    def _meet(self, event: SlaEvent | Signal, at: Instant) -> None:
        """Whoever is on the wall clock stays there; tier and segment are those of the newest event that names them."""
        state = self.state
        self.cause_id = event.id
        if event.clock != state.clock and event.clock == WALL:
            state.clock = WALL
        if at >= state.labelled_at and (event.tier is not None or event.segment is not None):
            state.tier, state.segment, state.labelled_at = event.tier, event.segment, at

    def advance(self, to: Instant) -> None:
        """Let time pass up to an instant; it never runs backwards."""
        self.state.as_of = max(self.state.as_of, to)

    def wake(self, to: Instant, cause_id: str) -> None:
        """Let time pass because a tick says so."""
        self.advance(to)
        self.cause_id = cause_id

    def wait(self) -> list[News]:
        """Leave the counting to the next tick, where time comes in jumps; alerts are told at once."""
        state = self.state
        contact_volume.forget(state)
        satisfaction.forget(state)
        self.care.save()
        for name in self.touched:
            metric, cells = state.metrics[name], self._cells_of(name)
            cells.bring_to(state.as_of)
            cells.save(places_in_use(metric))
            metric.expires_at = state.as_of
        news = self._alerts_and_words()
        self.touched = set()
        self._cells = {}
        return news

    def _alerts_and_words(self) -> list[News]:
        """What is told at once, whatever the figures come to."""
        news = [News(ALERTS, self.id, alert) for alert in self.alerts]
        news += [News(INTERACTIONS, each.conversation_id, each) for each in self.said]
        self.alerts = []
        self.said = []
        return news

    def settle(self, scorer: Scorer, shelf: HealthShelf = _NO_PROFILES) -> list[News]:
        """Bring everything to `as_of` and say what has changed since it was last told, in a deterministic order.

        Args:
            scorer: of the built-in profile, for as long as no other is in force.
            shelf: the profiles that were published.
        """
        state = self.state
        contact_volume.forget(state)
        satisfaction.forget(state)
        self.care.save()
        news = self._alerts_and_words()
        for name in list(state.metrics):
            news += self._settle_metric(name)
        news += self._settle_health(scorer, shelf)
        self.touched = set()
        self._cells = {}
        return news

    def _settle_health(self, scorer: Scorer, shelf: HealthShelf) -> list[News]:
        state, memory = self.state, self.state.memory
        care_facts.forget(memory, state.as_of)
        next_version_at = shelf.changes_at(state.as_of)
        book = shelf.at(state.as_of)
        if book is None and memory.override is not None and live_health.is_overridden(state):
            book = default_book()
        alerts: list[Alert | None] = []
        told: list[News] = []
        if book is None:
            health = account_health.judge(self.id, state, scorer, self.cause_id)
            memory.changes_at = next_version_at
            if health is not None:
                alerts = [worst_alert(health, is_worst=health.band == "red", was_worst=health.previous_band == "red")]
        else:
            was_worst = live_health.was_worst(state)
            judged = live_health.judge(self.id, state, book, next_version_at, self.cause_id)
            health, moved, is_worst, exact = judged
            if memory.family is not None:
                words = family.words(self.id, state, exact, self.cause_id)
                told = [News(SIGNALS, each.account_id, each) for each in words]
            if health is not None:
                alerts = [worst_alert(health, is_worst=is_worst, was_worst=was_worst)]
            alerts += [
                next_actions.action_alert(self.id, each, state.as_of, state.clock, self.cause_id) for each in moved
            ]
        news = [] if health is None else [News(HEALTH, self.id, health)]
        return news + [News(ALERTS, self.id, alert) for alert in alerts if alert is not None] + told

    def _settle_metric(self, name: str) -> list[News]:
        state = self.state
        metric = state.metrics[name]
        if name not in self.touched and (metric.expires_at is None or metric.expires_at > state.as_of):
            return []
        cells = self._cells_of(name)
        cells.bring_to(state.as_of)
        picture = adherence_report.picture_of(metric, cells, state.as_of)
        metric.expires_at = adherence_report.changes_at(metric, cells, state.as_of)
        cells.save(places_in_use(metric))
        news = [
            News(ALERTS, self.id, alert) for alert in burn_alerts(self.id, state, name, picture.budgets, self.cause_id)
        ]
        # Where nothing was told, nothing is no news.
        if picture.digest != metric.told and (metric.told or any(metric.figures)):
            metric.told = picture.digest
            told = report(self.id, state, name, picture, self.cause_id)
            news.append(News(ADHERENCE, f"{self.id}/{name}", told))
        if is_quiet(metric):
            del state.metrics[name]
            if metric.told and name not in state.quiet:
                state.quiet.append(name)
        return news

    def published(self) -> list[tuple[TopicSpec, str]]:
        """Under which keys something of the account may stand in the topics of results."""
        metrics = dict.fromkeys([*self.state.metrics, *self.state.quiet])
        keys: list[tuple[TopicSpec, str]] = [(ADHERENCE, f"{self.id}/{name}") for name in metrics]
        return [*keys, (HEALTH, self.id), (ALERTS, self.id)]

    def begin_anew(self, after: Instant, cause_id: str) -> bool:
        """Forget everything but the answers that were given after an instant; whether there are any."""
        before = self.state
        answers = [answer for answer in before.answers if answer.at > after] if before.clock == WALL else []
        known = {answer.id: before.signal_ids.get(answer.id, 0) for answer in answers}
        self.state = AccountState(clock=before.clock, as_of=before.as_of, answers=answers, signal_ids=known)
        self.cause_id = cause_id
        return bool(answers)

    def forget_relative(self, account_id: str, cause_id: str) -> bool:
        """Forget another account, of which nothing is known any more; whether it was of the family."""
        state, told = self.state, self.state.memory.verdict
        if not family.forget(state.memory, account_id):
            return False
        self.cause_id = cause_id
        if told is not None:
            told.parts = [part for part in told.parts if part[1] != account_id]  # others are news, so it is told anew
        if state.health is not None:
            state.health.points.pop(account_id, None)
        return True

    def wake_at(self) -> Instant | None:
        """The next instant at which a figure changes although nothing happens, on a full minute; null when none will.

        Call it on a settled account.
        """
        state = self.state
        metrics = state.metrics.values()
        changes = [metric.expires_at for metric in metrics]
        changes += (
            overdue.grows_at(metrics, state.as_of),
            satisfaction.changes_at(state),
            contact_volume.changes_at(state),
            state.memory.changes_at,
        )
        soonest = min([at for at in changes if at is not None], default=None)
        return None if soonest is None else -(-soonest // MINUTE_US) * MINUTE_US
