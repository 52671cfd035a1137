"""An explanation for machines: the keys that `docs/policy-format.md` promises.

Seconds are exact to the microsecond. Of one clock `seconds` of the intervals add up to `wall_elapsed_seconds`, and
`counted_seconds` with `not_below_zero_seconds` to `elapsed_seconds`.
"""

from collections.abc import Iterable
from typing import Any

from agents.domain.clock_diary import Move
from agents.domain.clock_intervals import Interval
from agents.domain.condition_reasons import KeyFinding
from agents.domain.explanation import ExplainedClock, Explanation, PolicyDecision
from agents.domain.instant import Instant, to_datetime, to_seconds
from streams.policy_files.clock_columns import columns_of, instant_text, known_account

Json = dict[str, Any]


def explanation_as_json(explanation: Explanation) -> Json:
    """Everything that was found out about a conversation."""
    state = explanation.state
    return {
        "conversation": state.id,
        "account": known_account(state.id, state.account_id),
        "source": state.source,
        "channel": state.channel,
        "priority": state.priority,
        "status": state.status,
        "merged_into": state.merged_into,
        "as_of": _instant(explanation.as_of),
        "known_from": _instant(explanation.known_from),
        "forgotten_clocks": dict(explanation.forgotten),
        "stored_otherwise": [
            {
                "metric": clock.metric,
                "instance": clock.instance,
                "outcome": clock.outcome,
                "due_at": _instant(clock.due_at),
            }
            for clock in explanation.stored_otherwise
        ],
        "policies": [_decision(each) for each in explanation.decisions],
        "clocks": [_clock(each) for each in explanation.clocks],
    }


def _decision(decision: PolicyDecision) -> Json:
    return {
        "at": _instant(decision.at),
        "event": decision.event_id,
        "version": decision.version,
        "policy": decision.policy,
        "newer_version": decision.newer_version,
        "passed_over": [{"policy": each.policy, "because": _findings(each.because)} for each in decision.passed_over],
    }


def _clock(explained: ExplainedClock) -> Json:
    ended_by = explained.ended_by
    clock = explained.clock
    return {
        **columns_of(explained.view),
        "calendar": explained.calendar,
        "target": explained.target,
        "target_of_priority": explained.target_of_priority,
        "never_due": explained.never_due,
        "set_by_hand": clock.set_by_hand,
        "counts_from": _instant(explained.counts_from),
        "moved_by_pauses_seconds": None
        if explained.moved_by_pauses_us is None
        else to_seconds(explained.moved_by_pauses_us),
        "paused": explained.view.paused,
        "flags": list(clock.flags),
        "reason": clock.reason,
        "ended_by": None
        if ended_by is None
        else {
            "at": _instant(ended_by.at),
            "kind": ended_by.kind,
            "event": ended_by.event_id,
            "author": ended_by.author,
            "author_id": ended_by.author_id,
        },
        "not_below_zero_seconds": to_seconds(explained.not_below_zero_us),
        "intervals": [_interval(each) for each in explained.intervals],
        "moves": [_move(each) for each in explained.moves],
    }


def _interval(interval: Interval) -> Json:
    return {
        "kind": interval.kind,
        "from": _instant(interval.start),
        "to": _instant(interval.end),
        "seconds": to_seconds(interval.wall_us),
        "counted_seconds": to_seconds(interval.counted_us),
        "open_seconds": to_seconds(interval.open_us),
        "calendar": interval.calendar,
        "because": _findings(interval.because),
        "event": interval.event_id,
    }


def _move(move: Move) -> Json:
    return {
        "at": _instant(move.at),
        "kind": move.kind,
        "event": move.event_id,
        "author": move.author,
        "author_id": move.author_id,
        "reason": move.reason,
        "warning": move.warning,
        "due_at": _instant(move.due_at),
        "due_before": _instant(move.due_before),
        "set_by_hand": move.set_by_hand,
        "target": move.target,
        "policy": move.policy,
        "policy_version": move.policy_version,
        "priority": move.priority,
    }


def _findings(findings: Iterable[KeyFinding]) -> list[Json]:
    return [{"key": each.key, "wanted": list(each.wanted), "found": list(each.found)} for each in findings]


def _instant(at: Instant | None) -> str | None:
    return None if at is None else instant_text(to_datetime(at))
