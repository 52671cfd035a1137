"""What the events of one account put into the care figures, and what they take out of them again.

`agents.domain.account` tells it every event; what came of a batch are `deltas`, which `agents.care_rollups` adds to the
figures of the partition. The measures and the figures that are made of them are in `docs/care-metrics.md`.

A decided promise and an answer to a survey are remembered with where they were put, so a revised outcome leaves the
hour, the team and the agent that it was counted for. What is bounded: the newest `KEPT_ENTRIES` contributions of an
account (what is older stays as it was counted), the newest `care_talks.KEPT_TALKS` conversations, `MOST_LABELS`
combinations of labels. Names are remembered by four bytes: two of a thousand are alike in one account of ten thousand,
and then one figure is a little off.
"""

from struct import Struct as Layout
from zlib import crc32

from agents.domain import care_standing, care_talks
from agents.domain.care_contribution import UNTIMED, CareDelta, Contribution, score_of
from agents.domain.care_surveys import answer_of
from agents.domain.instant import HOUR_US, Instant, from_datetime
from agents.domain.percentile_sketch import bin_of
from agents.domain.promise_windows import Move
from schemas.adherence import BEYOND
from schemas.care_state import CareLabels, CareMemory
from schemas.enrichment import Enrichment
from schemas.signal import Signal
from schemas.sla_event import SlaEvent

KEPT_ENTRIES = 1_000
"""Twenty kilobytes: late events come within days, as for `outcome_cells`. One more, and the older half goes."""

MOST_LABELS = 256
"""Combinations of channel, team, agent and tier that an account remembers; further ones are under `(other)`."""

TIMED = frozenset({"first_response", "next_response", "first_resolution", "follow_up"})
"""Metrics whose durations are kept: response, waiting, resolution, and how soon we came back to a dissatisfied one."""

_ENTRY = Layout("<IIHHhhi")
_COLLECTIVE: CareLabels = (BEYOND,) * 4
_BEGUN_BY = {"customer": Contribution("begun_by_customer"), "agent": Contribution("begun_by_us")}
_ESCALATION = Contribution("escalations")
_FORCED_SWITCH = Contribution("forced_switches")
_AFTER_HARD_CASES = {"csat": "csat_hard", "csat_satisfied": "csat_hard_satisfied"}
"""What an answer adds where its case was a hard one, by what it adds anyway."""
_OF_CASE = "(case)"
"""The name of an entry that counts nothing: its amount is the checksum of the conversation that an answer is about."""
_ANSWERED = frozenset({"met", "satisfied_late"})
_OUTCOMES = ("met/", "breached/")
_NO_LOOP = frozenset({"cancelled", "merged"})
"""How a follow-up ends that nobody waits for, or waits for elsewhere: it is no loop."""


class CareNotes:
    """Changes the `CareMemory` of one account. Made once per account and batch."""

    __slots__ = ("_entries", "_memory", "_talks", "deltas")

    def __init__(self, memory: CareMemory) -> None:
        self._memory = memory
        self._entries: list[bytes] = []
        self._talks: care_talks.Talks | None = None
        """Opened with the first fact: most batches have none for most accounts."""
        self.deltas: list[CareDelta] = []

    # promises

    def take_move(self, event: SlaEvent, at: Instant, move: Move) -> None:
        """A clock was started, decided, answered, revised or taken back."""
        kind, metric = event.kind, event.metric or ""
        if kind == "activated" and metric != "follow_up":
            return
        digest = crc32(move.clock_id.encode())
        if move.take_out is not None and not self._remembers_outcome(digest):
            return  # put in too long ago to be taken out: what takes its place would be counted beside it
        if kind == "retracted" or (kind == "merged" and event.previous_decided_at is not None):
            self._take_out(digest, event.clock)
        elif kind == "outcome_revised":
            self._take_out(digest, event.clock, keep="feedback_opened")
        labels = _labels_of(event)
        is_answered = move.after in _ANSWERED and metric in TIMED
        answered_at = _answered_at(event, at) if is_answered else at
        if move.put_in is not None:
            outcome = "met" if move.put_in.met else "breached"
            if is_answered and answered_at == move.put_in.at:
                self._put_in(digest, event.clock, answered_at, labels, _timed(event, outcome))
                is_answered = False
            else:
                self._put_in(digest, event.clock, move.put_in.at, labels, Contribution(f"{outcome}/{metric}"))
        if is_answered:
            self._put_in(digest, event.clock, answered_at, labels, _timed(event, "answered"))
        if metric == "follow_up":
            self._follow_up(event, move, digest, labels)

    def _follow_up(self, event: SlaEvent, move: Move, digest: int, labels: CareLabels) -> None:
        """A loop counts in the hour in which it was opened, closed or not."""
        opened_at = from_datetime(event.started_at or event.occurred_at)
        is_reopened = event.kind == "outcome_revised" and move.before in _NO_LOOP and move.after not in _NO_LOOP
        if event.kind == "activated" or is_reopened:
            self._put_in(digest, event.clock, opened_at, labels, Contribution("feedback_opened"))
        if move.after in _ANSWERED:
            self._put_in(digest, event.clock, opened_at, labels, Contribution("feedback_closed"))
        elif move.after in _NO_LOOP:
            self._take_out(digest, event.clock, only="feedback_opened")

    # facts

    def take_fact(self, event: SlaEvent, at: Instant) -> None:
        """Something happened to a conversation that is no promise."""
        kind, talks = event.kind, self._opened_talks()
        if at < 0:
            return
        digest = crc32(event.conversation_id.encode())
        talk = talks.get(digest)
        if kind == "contact":
            if talk is not None:
                self._contact(event, at, digest, talk)
        elif kind == "opened":
            if talk is None:
                talks.put(digest, 0)
        elif kind == "escalated":
            self._add(event, at, _ESCALATION)
            if talk is not None:
                self._keep_talk(digest, talk, care_talks.hardened(talk), event.clock)
        elif talk is not None:
            self._finish(event, at, digest, talk)

    def _contact(self, event: SlaEvent, at: Instant, digest: int, talk: int) -> None:
        by = event.author_kind or "customer"
        if by not in _BEGUN_BY:
            return
        if not care_talks.is_begun(talk):
            self._add(event, at, _BEGUN_BY[by])
        channel = event.by_channel or event.channel
        if by == "customer" and care_talks.is_forced_away(talk, channel):
            self._add(event, at, _FORCED_SWITCH)
        now = care_talks.contacted(talk, channel, by_customer=by == "customer")
        self._keep_talk(digest, talk, now, event.clock)

    def _keep_talk(self, digest: int, before: int, talk: int, clock: str) -> None:
        if talk != before:
            self._opened_talks().put(digest, talk)
        if care_talks.is_hard(talk) and not care_talks.is_hard(before):
            self._harden(digest, clock)

    def _harden(self, digest: int, clock: str) -> None:
        """A case turned out to be a hard one: so are the answers about it that we have."""
        self.save()
        memory = self._memory
        if _OF_CASE not in memory.names:
            return
        entries = list(_ENTRY.iter_unpack(memory.entries))
        link = memory.names.index(_OF_CASE)
        answers = {about for about, _, _, name, _, _, case in entries if name == link and case == _signed(digest)}
        for about, hour, place, name, *_ in entries:
            measure = _AFTER_HARD_CASES.get(memory.names[name])
            if about in answers and measure is not None:
                self._put_in(about, clock, hour * HOUR_US, memory.labels[place], Contribution(measure))

    def _finish(self, event: SlaEvent, at: Instant, digest: int, talk: int) -> None:
        place = self._place_of(_labels_of(event))
        step = care_talks.step(talk, event.kind, at // HOUR_US, place)  # type: ignore[arg-type]  # one of two facts
        self._keep_talk(digest, talk, step.talk, event.clock)
        for measure in step.adds:
            self._add(event, at, Contribution(measure))
        if step.undone:
            labels = self._memory.labels[care_talks.place_of(talk)]
            hour = care_talks.hour_of(talk)
            for measure, sign in step.undone:
                self.deltas.append(CareDelta(event.clock, "hour", hour, labels, Contribution(measure), sign))

    def _add(self, event: SlaEvent, at: Instant, what: Contribution) -> None:
        self.deltas.append(CareDelta(event.clock, "hour", at // HOUR_US, _labels_of(event), what, 1))

    def _opened_talks(self) -> care_talks.Talks:
        if self._talks is None:
            self._talks = care_talks.Talks(self._memory.talks)
        return self._talks

    # signals

    def take_signal(self, signal: Signal, at: Instant) -> None:
        """A survey was answered, somebody spoke for us, or subscription or onboarding are not what they were."""
        memory, digest, tier = self._memory, crc32(signal.id.encode()), signal.tier or ""
        if signal.kind in {"survey", "advocacy"}:
            labels: CareLabels = (signal.channel or "", signal.team or "", signal.agent or "", tier)
            if not self._take_out(digest, signal.clock) and signal.version and self._is_before_memory(at):
                return  # what it corrects was put in, and cannot be taken out any more
            for measure, amount in answer_of(signal):
                self._put_in(digest, signal.clock, at, labels, Contribution(measure, amount))
                if signal.conversation_id is not None and measure in _AFTER_HARD_CASES:
                    self._about_case(signal, at, labels, measure)
            return
        if signal.kind not in {"subscription", "onboarding"}:
            return
        before, tier_before = care_standing.standing_of(memory), memory.standing_tier
        if not care_standing.learn(memory, signal, at, digest):
            return
        memory.standing_tier = tier
        self._stand(signal.clock, before, tier_before, -1)
        self._stand(signal.clock, care_standing.standing_of(memory), tier, 1)

    def _about_case(self, signal: Signal, at: Instant, labels: CareLabels, measure: str) -> None:
        """An answer about a hard case counts among those; the case of another one is noted, for it may become one."""
        digest, case = crc32(signal.id.encode()), crc32((signal.conversation_id or "").encode())
        talk = self._opened_talks().get(case)
        if talk is not None and care_talks.is_hard(talk):
            self._put_in(digest, signal.clock, at, labels, Contribution(_AFTER_HARD_CASES[measure]))
        elif measure == "csat" and at >= 0:
            place, name = self._place_of(labels), self._name_of(_OF_CASE)
            note = (digest, at // HOUR_US, place, name, UNTIMED, UNTIMED, _signed(case))
            self._entries.append(_ENTRY.pack(*note))

    def _stand(self, clock: str, standing: care_standing.Standing, tier: str, sign: int) -> None:
        labels: CareLabels = ("", "", "", tier)
        for (bucket, number, what), times in standing.items():
            self.deltas.append(CareDelta(clock, bucket, number, labels, what, sign * times))

    # messages

    def take_sentiment(
        self, enrichment: Enrichment, at: Instant, clock: str, before: int | None, now: int | None
    ) -> None:
        """A message was judged, or judged anew. Sentiments are millionths; counted are hundredths of 0 to 100."""
        labels: CareLabels = (enrichment.channel, enrichment.team or "", "", enrichment.tier or "")
        for sentiment, sign in ((before, -1), (now, 1)):
            if sentiment is not None and at >= 0:
                for what in (Contribution("sentiment"), Contribution("sentiment_score", score_of(sentiment))):
                    self.deltas.append(CareDelta(clock, "hour", at // HOUR_US, labels, what, sign))

    # memory

    def save(self) -> None:
        """Write what was put in into the memory: once for a batch."""
        memory = self._memory
        if self._talks is not None:
            memory.talks = self._talks.to_bytes()
        if not self._entries:
            return
        memory.entries = b"".join((memory.entries, *self._entries))
        self._entries.clear()
        if len(memory.entries) > KEPT_ENTRIES * _ENTRY.size:
            memory.entries = memory.entries[-KEPT_ENTRIES // 2 * _ENTRY.size :]
            self._tidy()

    def _put_in(self, digest: int, clock: str, at: Instant, labels: CareLabels, what: Contribution) -> None:
        """Add one contribution and remember where. Before 1970 nobody promised anything to anybody."""
        memory, hour = self._memory, at // HOUR_US
        if hour < 0:
            return
        measure, amount, bin_number, wall_bin = what
        place, name = self._place_of(labels), self._name_of(measure)
        self._entries.append(_ENTRY.pack(digest, hour, place, name, bin_number, wall_bin, amount))
        self.deltas.append(CareDelta(clock, "hour", hour, memory.labels[place], what, 1))

    def _take_out(self, digest: int, clock: str, *, only: str = "", keep: str = "") -> bool:
        """Take out what was put in about something, as far as it is remembered; whether anything was."""
        self.save()
        memory = self._memory
        if digest.to_bytes(4, "little") not in memory.entries:
            return False
        before = len(self.deltas)
        kept = []
        for entry in _ENTRY.iter_unpack(memory.entries):
            about, hour, place, name, bin_number, wall_bin, amount = entry
            measure = memory.names[name]
            if about != digest or (only and measure != only) or measure == keep:
                kept.append(entry)
            elif measure != _OF_CASE:
                what = Contribution(measure, amount, bin_number, wall_bin)
                self.deltas.append(CareDelta(clock, "hour", hour, memory.labels[place], what, -1))
        memory.entries = b"".join([_ENTRY.pack(*entry) for entry in kept])
        return len(self.deltas) > before

    def _remembers_outcome(self, digest: int) -> bool:
        self.save()
        memory = self._memory
        return digest.to_bytes(4, "little") in memory.entries and any(
            about == digest and memory.names[name].startswith(_OUTCOMES)
            for about, _, _, name, *_ in _ENTRY.iter_unpack(memory.entries)
        )

    def _is_before_memory(self, at: Instant) -> bool:
        """Whether something lies before all contributions that are remembered, and some are not any more."""
        self.save()
        entries = self._memory.entries
        is_full = len(entries) >= KEPT_ENTRIES // 2 * _ENTRY.size
        return is_full and at // HOUR_US <= _ENTRY.unpack_from(entries)[1]

    def _place_of(self, labels: CareLabels) -> int:
        known = self._memory.labels
        if labels in known:
            return known.index(labels)
        if len(known) >= MOST_LABELS:
            self.save()
            self._tidy()
            known = self._memory.labels
        if len(known) >= MOST_LABELS and labels != _COLLECTIVE:
            return self._place_of(_COLLECTIVE)
        known.append(labels)
        return len(known) - 1

    def _name_of(self, measure: str) -> int:
        names = self._memory.names
        if measure not in names:
            names.append(measure)
        return names.index(measure)

    def _tidy(self) -> None:
        """Leave out of the tables what no entry and no conversation points to; all entries are saved."""
        memory = self._memory
        labels: dict[CareLabels, int] = {}
        names: dict[str, int] = {}
        entries = []
        for about, hour, place, name, *amounts in _ENTRY.iter_unpack(memory.entries):
            new_place = labels.setdefault(memory.labels[place], len(labels))
            new_name = names.setdefault(memory.names[name], len(names))
            entries.append(_ENTRY.pack(about, hour, new_place, new_name, *amounts))
        for digest, talk in self._opened_talks().items():
            if care_talks.hour_of(talk):
                new_place = labels.setdefault(memory.labels[care_talks.place_of(talk)], len(labels))
                self._opened_talks().put(digest, care_talks.placed(talk, new_place))
        memory.labels, memory.names, memory.entries = list(labels), list(names), b"".join(entries)


def _timed(event: SlaEvent, group: str) -> Contribution:
    """An answer, with how long it took."""
    return Contribution(f"{group}/{event.metric}", 1, _bin(event.elapsed_seconds), _bin(event.wall_elapsed_seconds))


def _signed(digest: int) -> int:
    """A checksum as an amount."""
    return digest - (1 << 32) if digest >> 31 else digest


def _bin(seconds: float | None) -> int:
    return UNTIMED if seconds is None else bin_of(round(seconds * 1e6))


def _labels_of(event: SlaEvent) -> CareLabels:
    return (event.channel, event.team or "", event.agent or "", event.tier or "")


def _answered_at(event: SlaEvent, at: Instant) -> Instant:
    if event.satisfied_at is None or event.satisfied_at == event.occurred_at:
        return at
    return from_datetime(event.satisfied_at)
