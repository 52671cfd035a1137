"""`careline policy explain`: why every deadline of a conversation is where it is.

Read live from what a worker has committed (`streams.remembered_conversation`), or from files of history as `careline
policy run` reads them. The explanation is `agents.domain.explanation`; nothing is changed anywhere.
"""

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from streams.cli.admin_options import FAILED, KafkaOption, settings_of, stop

if TYPE_CHECKING:
    from agents.domain.explanation import Explanation

_SOURCE = "file"
_WALL = "wall"
_MOST_NAMES = 10_000
"""Among more conversations than this none is looked for that is written alike."""


def explain(
    context: typer.Context,
    conversation: Annotated[str, typer.Argument(metavar="CONVERSATION", help="Its id.", show_default=False)],
    files: Annotated[
        list[Path] | None,
        typer.Argument(metavar="[FILE...]", help="History to read instead of asking Kafka.", show_default=False),
    ] = None,
    policies: Annotated[
        Path | None, typer.Option("--policies", metavar="POLICIES.yaml", help="With FILE: the policies that judge.")
    ] = None,
    mapping: Annotated[
        Path | None, typer.Option("--mapping", metavar="MAPPING.yaml", help="With FILE: how rows become events.")
    ] = None,
    now: Annotated[
        str | None,
        typer.Option(
            "--now",
            metavar="INSTANT",
            help="How far the clocks run after the last event. Default: the wall clock; live, no further than the "
            "next warning or deadline, which the worker has yet to decide.",
        ),
    ] = None,
    kafka: KafkaOption = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object instead of text.")] = False,
) -> None:
    """Why is this deadline where it is?

    Tells which policy applies and why those before it do not, where the time
    of each clock went (running, closed, paused, with reasons, adding up to
    the microsecond), every new target, warning and due date set by hand, and
    what satisfied or cancelled it.

    Without FILE it reads what a worker has committed in Kafka; with FILE,
    --policies and --mapping it reads history and needs no Kafka.

    Example: careline policy explain zendesk:4711

    Example: careline policy explain "Case 123" --policies examples/helpdesk/policy.yaml
    --mapping examples/helpdesk/mapping.yaml --now 2014-02-01T00:00:00Z helpdesk.csv

    Exit status: 0; 1 when the conversation is not known or Kafka is away; 2 when a file or an option is wrong.
    """
    if files:
        found = _of_files(conversation, files, policies, mapping, now)
    elif policies is not None or mapping is not None:
        raise typer.BadParameter("--policies and --mapping go with FILE; without one Kafka is asked", param_hint="FILE")
    else:
        found = _of_worker(context, conversation, now, kafka)
    if as_json:
        from streams.cli.explained_json import explanation_as_json

        print(json.dumps(explanation_as_json(found), ensure_ascii=False, indent=2))
    else:
        from streams.cli.explained_text import say_explanation

        say_explanation(found)


def _of_files(
    conversation: str, files: Sequence[Path], policies: Path | None, mapping: Path | None, now: str | None
) -> "Explanation":
    from agents.domain.explanation import explain_together
    from agents.domain.instant import from_datetime
    from streams.cli.history_files import instant_of, load_history, load_mapping
    from streams.cli.policy_books import load_books
    from streams.policy_files.problem import did_you_mean

    if policies is None or mapping is None:
        raise typer.BadParameter("FILE needs both --policies and --mapping", param_hint="FILE")
    end = from_datetime(instant_of(now, "--now"))
    (book,), mistakes, clocks = load_books([policies])
    history = load_history(load_mapping(mapping, mistakes, clocks), files, strict=False)
    known: list[str] = []
    for told in history.told_together(_SOURCE):
        known += [name for name, _ in told]
        if conversation not in known[-len(told) :]:
            continue
        explanation = explain_together(book, conversation, told, end)
        if explanation is not None:
            return explanation
    hint = did_you_mean(
        conversation, known if len(known) <= _MOST_NAMES else (), "ids are those that the mapping makes"
    )
    raise stop(
        f"careline policy explain: no conversation {conversation!r} among the {len(known):,} of these files ({hint})"
    )


def _of_worker(context: typer.Context, conversation: str, now: str | None, kafka: str | None) -> "Explanation":
    from agents.domain.explanation import explain_state
    from agents.domain.instant import from_datetime
    from streams.cli.history_files import instant_of
    from streams.kafka_admin import KafkaUnavailable
    from streams.remembered_conversation import MemoryUnreadable, read_remembered
    from streams.topic_reader import TopicAbsent

    asked_for = None if now is None else from_datetime(instant_of(now, "--now"))
    try:
        found = read_remembered(settings_of(context, kafka), conversation)
    except (KafkaUnavailable, TopicAbsent, MemoryUnreadable) as error:
        raise stop(f"careline policy explain: {error}", FAILED) from None
    if found is None:
        raise stop(
            f"careline policy explain: no worker knows a conversation {conversation!r}. Ids are those in "
            "careline.clocks.v1 and in the column conversation_id; or `careline work` has not read its events yet",
            FAILED,
        )
    state = found.state
    until = asked_for
    if until is None and state.clock == _WALL:
        until = from_datetime(datetime.now(UTC))
        if state.next_change_at is not None:
            until = min(until, state.next_change_at)  # what follows is the worker's to decide, at its next tick
    return explain_state(found.book, state, until)
