"""The pure engine over the simulated company: events a second on one core, where the time goes, and how large state is.

Nothing is read or written here: interactions are in memory already, results stay there. The policies have three
calendars and five metrics, warnings and pauses.
"""

import gc
import sys
import time
from collections.abc import Callable
from itertools import islice

from agents.domain.clock import is_running
from agents.domain.entries import entry_of, new_conversation
from agents.domain.instant import Instant, to_datetime
from agents.domain.narration import Detection, Narrator, Silence
from agents.domain.policy_book import PolicyBook
from agents.domain.timeline import Timeline, decode_state, encode_state
from agents.domain.verdict import judge_conversation
from schemas.conversation_state import ConversationState
from schemas.interaction import Interaction
from schemas.timeline_entry import TimelineEntry
from streams.policy_files.policy_reader import read_policy_text
from streams.policy_files.problem import Problems
from streams.simulation.story import DEFAULT_START, Story, StoryPlan

EVENTS = 30_000
ROUNDS = 15

POLICIES = """
version: bench
calendars:
  berlin:
    time_zone: Europe/Berlin
    weekly: {mon-fri: [08:00-12:00, 13:00-18:00]}
    holidays: [{country: DE, subdivision: BE}]
  new-york: {time_zone: America/New_York, weekly: {mon-fri: [08:00-18:00]}}
  two-sites: {union: [berlin, new-york]}
policies:
  - id: premium
    when: {tier: [platinum, gold]}
    calendar: two-sites
    targets: &targets
      first_response: {urgent: 15m, high: 30m, normal: 1h, low: 2h}
      next_response: {urgent: 20m, high: 40m, normal: 90m, low: 3h}
      first_resolution: {urgent: 2h, high: 4h, normal: 8h, low: 12h}
      speed_of_answer: 20s
      follow_up: {target: 2 business_days, calendar: berlin}
    warn_at: [50%, 80%]
    objective: {ratio: 0.95, over: 30d}
  - id: chat
    when: {channel: [chat, phone]}
    calendar: berlin
    targets: *targets
    warn_at: [75%]
  - id: everyone
    calendar: new-york
    targets: *targets
    warn_at: [80%]
"""


def main() -> None:
    """Fold the story several times, each time differently equipped; the quickest round of each counts."""
    book = _book()
    interactions = _story()
    gc.freeze()
    gc.set_threshold(100_000, 50, 1_000)  # as a worker does
    entries = [entry_of(each) for each in interactions]
    count = len(interactions)
    say(f"{count:,} events of {len({each.conversation_id for each in interactions}):,} conversations")
    deciding = _best(lambda: _fold(book, interactions, entries, Silence(book)))
    telling = _best(lambda: _fold(book, interactions, entries, Narrator(book)))
    understanding = _best(lambda: [entry_of(each) for each in interactions])
    say(f"a yardstick (writing numbers into a dictionary): {_best(_yardstick) * 10:.2f} µs")
    say(f"deciding: {count / deciding:,.0f} events/s, {deciding / count * 1e6:.1f} µs each")
    say(f"deciding and telling: {count / telling:,.0f} events/s, {telling / count * 1e6:.1f} µs each")
    say(f"of that understanding an interaction: {understanding / count * 1e6:.1f} µs")
    states, told = _fold(book, interactions, entries, Narrator(book))
    say(f"{told / count:.2f} results for each event")
    _judge(book, interactions)
    _sizes(list(states.values()))


def say(line: str) -> None:
    """A line of the report."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def _book() -> PolicyBook:
    problems = Problems("bench")
    policy_file = read_policy_text(POLICIES, problems)
    if policy_file is None:
        raise SystemExit("\n".join(problem.as_line() for problem in problems.errors))
    return PolicyBook.of(policy_file)


def _story() -> list[Interaction]:
    story = Story(StoryPlan(seed=7, starts_at=DEFAULT_START, events_per_hour=2_000))
    told = (event for _, event in story)
    return list(islice((event for event in told if isinstance(event, Interaction)), EVENTS))


def _yardstick() -> None:
    """The same work on every machine and every day: what the other figures are to be compared with."""
    told: dict[int, tuple[int, str]] = {}
    for number in range(100_000):
        told[number % 1000] = (number, str(number))


def _best(work: Callable[[], object]) -> float:
    seconds = []
    for _ in range(ROUNDS):
        began = time.process_time()
        work()
        seconds.append(time.process_time() - began)
    return min(seconds)


def _fold(
    book: PolicyBook, interactions: list[Interaction], entries: list[TimelineEntry], narrator: Narrator
) -> tuple[dict[str, ConversationState], int]:
    states: dict[str, ConversationState] = {}
    timeline = Timeline(book, narrator)
    detection = Detection(interactions[0].occurred_at.microsecond)
    told = 0
    for offset, (interaction, entry) in enumerate(zip(interactions, entries, strict=True)):
        key = interaction.conversation_id
        state = states.get(key)
        if state is None:
            state = new_conversation(interaction)
        narrator.begin(0, offset, entry.id, detection)
        if timeline.take(state, interaction, entry) == "applied":
            states[key] = timeline.state
        told += len(narrator.events)
    return states, told


def _judge(book: PolicyBook, interactions: list[Interaction]) -> None:
    """The same through the entry of `policy run`: everything is there before, nothing can come late."""
    by_conversation: dict[str, list[Interaction]] = {}
    for each in interactions:
        by_conversation.setdefault(each.conversation_id, []).append(each)
    now: Instant = DEFAULT_START + 90 * 86_400_000_000
    seconds = _best(lambda: [judge_conversation(book, events, now) for events in by_conversation.values()])
    clocks = sum(len(judge_conversation(book, events, now)) for events in by_conversation.values())
    cost = f"{seconds / len(interactions) * 1e6:.1f} µs an event, {clocks:,} clocks"
    say(f"judged until {to_datetime(now):%Y-%m-%d}: {cost}")


def _sizes(states: list[ConversationState]) -> None:
    open_states = [state for state in states if any(is_running(clock) for clock in state.clocks)]
    encoded = [encode_state(state) for state in open_states]
    mean = sum(map(len, encoded)) / len(encoded)
    say(f"{len(encoded):,} open conversations: {mean:.0f} bytes encoded on average, at most {max(map(len, encoded)):,}")
    coding = _best(lambda: [encode_state(decode_state(data)) for data in encoded])
    say(f"reading and writing a state: {coding / len(encoded) * 1e6:.1f} µs")


if __name__ == "__main__":
    main()
