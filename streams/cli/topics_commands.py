"""`careline topics list | create | describe`: the topics as they are declared beside what the cluster has.

Exit status 0: all as declared · 1: something is missing or differs, or Kafka is absent · 2: there is no such topic. The
work is done in `streams.kafka_admin`; what a topic should be stands in `schemas.topics`.
"""

import json
from typing import TYPE_CHECKING, Annotated, Any

import typer

from streams.cli.admin_options import (
    FAILED,
    WRONG_USE,
    JsonOption,
    KafkaOption,
    say,
    say_table,
    settings_of,
    stop,
    tell,
)

if TYPE_CHECKING:
    from schemas.topics import TopicSpec
    from streams.kafka_admin import TopicState
    from streams.settings import Settings

topics_app = typer.Typer(
    name="topics", help="Topics: what is declared, what the cluster has, create what is missing.", no_args_is_help=True
)

_DAY_MS = 86_400_000
_PARTITIONS_HINT = (
    "Partitions cannot be changed later: known keys would go elsewhere. Set CARELINE_PARTITIONS to what the topics "
    "have, or choose another CARELINE_TOPIC_PREFIX."
)


@topics_app.command("list")
def list_topics(context: typer.Context, kafka: KafkaOption = None, as_json: JsonOption = False) -> None:
    """Show every topic: key, partitions, how long it is kept, who writes and reads it, and whether it is as declared.

    CARELINE_TOPIC_PREFIX, CARELINE_PARTITIONS and CARELINE_REPLICATION_FACTOR say what should be there.
    """
    states = _states(settings_of(context, kafka))
    if as_json:
        print(json.dumps([_as_json(state) for state in states], ensure_ascii=False))
    else:
        _show(states)
    if any(state.differences for state in states):
        raise typer.Exit(FAILED)


@topics_app.command("create")
def create(context: typer.Context, kafka: KafkaOption = None, as_json: JsonOption = False) -> None:
    """Create the topics that are missing. Existing ones are never changed; doing it again changes nothing.

    Uses CARELINE_TOPIC_PREFIX, CARELINE_PARTITIONS (the most workers that can ever share the load) and
    CARELINE_REPLICATION_FACTOR (3 in production).

    Example: CARELINE_REPLICATION_FACTOR=3 careline topics create --kafka kafka-1:9092,kafka-2:9092
    """
    from streams.kafka_admin import KafkaUnavailable, TopicsRefusedError, create_topics

    settings = settings_of(context, kafka)
    try:
        outcomes = create_topics(
            settings.kafka, settings.topic_prefix, settings.partitions, settings.replication_factor
        )
    except (KafkaUnavailable, TopicsRefusedError) as error:
        raise stop(f"careline topics: {error}") from None
    if as_json:
        print(json.dumps([{"topic": one.name, "status": one.status, "differences": one.reasons} for one in outcomes]))
    else:
        width = max(len(one.name) for one in outcomes)
        for one in outcomes:
            say(f"{one.name:<{width}}  {one.status:<8} {'; '.join(one.reasons)}".rstrip())
    if any(one.status == "differs" for one in outcomes):
        raise typer.Exit(FAILED)


@topics_app.command("describe")
def describe(
    context: typer.Context,
    topic: Annotated[str, typer.Argument(metavar="TOPIC", help="Its name or the middle of it: interactions.")],
    kafka: KafkaOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show all about one topic: what is in it, its settings, and how the cluster differs from them."""
    spec = _spec(topic)
    (state,) = [state for state in _states(settings_of(context, kafka)) if state.plan.spec is spec]
    if as_json:
        print(json.dumps(_as_json(state), ensure_ascii=False))
    else:
        _describe(state)
    if state.differences:
        raise typer.Exit(FAILED)


def _states(settings: "Settings") -> list["TopicState"]:
    from streams.kafka_admin import KafkaUnavailable, describe_topics

    try:
        return describe_topics(settings.kafka, settings.topic_prefix, settings.partitions, settings.replication_factor)
    except KafkaUnavailable as error:
        raise stop(f"careline topics: {error}") from None


def _spec(name: str) -> "TopicSpec":
    from schemas.topics import TOPICS
    from streams.policy_files.problem import did_you_mean

    by_name = {spec.name.removeprefix("careline.").removesuffix(".v1"): spec for spec in TOPICS}
    found = by_name.get(name) or next((spec for spec in TOPICS if name.endswith(spec.name)), None)
    if found is None:
        raise stop(f"careline topics: there is no topic {name!r} ({did_you_mean(name, by_name)})", WRONG_USE)
    return found


def _kept(spec: "TopicSpec") -> str:
    return "latest per key" if spec.retention_ms is None else f"{spec.retention_ms // _DAY_MS} days"


def _show(states: list["TopicState"]) -> None:
    rows = [
        (
            state.plan.name,
            state.plan.spec.key,
            "missing" if state.missing else str(state.partitions),
            _kept(state.plan.spec),
            ", ".join(state.plan.spec.producers),
            ", ".join(state.plan.spec.consumers),
        )
        for state in states
    ]
    say_table(("topic", "key", "partitions", "kept", "written by", "read by"), rows)
    for state in states:
        if not state.missing and state.differences:
            tell(f"{state.plan.name} {'; '.join(state.differences)}", style="yellow")
    if any(state.missing for state in states):
        tell("Create the missing ones with `careline topics create`.", style="yellow")
    if any(0 < state.partitions != state.plan.partitions for state in states):
        tell(_PARTITIONS_HINT, style="yellow")


def _describe(state: "TopicState") -> None:
    spec = state.plan.spec
    lines = {
        "topic": state.plan.name,
        "purpose": spec.purpose,
        "key": spec.key,
        "messages": ", ".join(contract.__name__ for contract in spec.contracts) or "internal",
        "written by": ", ".join(spec.producers),
        "read by": ", ".join(spec.consumers),
        "kept": _kept(spec),
        "partitions": f"{state.partitions or 'missing'}, declared {state.plan.partitions}",
        "copies": f"{state.replication_factor or 'missing'}, declared {state.plan.replication_factor}",
        **state.plan.configs,
    }
    width = max(map(len, lines))
    for name, value in lines.items():
        say(f"{name:<{width}}  {value}")
    for difference in state.differences:
        tell(f"{state.plan.name} {difference}", style="yellow")


def _as_json(state: "TopicState") -> dict[str, Any]:
    spec = state.plan.spec
    return {
        "topic": state.plan.name,
        "purpose": spec.purpose,
        "key": spec.key,
        "contracts": [contract.__name__ for contract in spec.contracts],
        "producers": spec.producers,
        "consumers": spec.consumers,
        "retention_ms": spec.retention_ms,
        "partitions": state.partitions,
        "replication_factor": state.replication_factor,
        "configs": dict(state.plan.configs),
        "differences": state.differences,
    }
