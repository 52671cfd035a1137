"""`careline care`: the care figures of the company, or of each account, channel, team and so on, as of now.

Exit status 0: told · 1: Kafka is absent, or nothing has been counted yet · 2: the command line is wrong.
"""

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any, cast, get_args

import typer

from streams.cli.admin_options import WRONG_USE, JsonOption, KafkaOption, say, say_table, settings_of, stop
from streams.cli.health_run_command import NowOption, now_of

if TYPE_CHECKING:
    from agents.domain.care_metrics import Window
    from schemas.rollup import Rollup, RollupScope
    from streams.care_parts import CareValue
    from streams.settings import Settings


def care(
    context: typer.Context,
    scope: Annotated[
        str, typer.Option("--scope", help="company, account, channel, team, agent, tier, hours or topic.")
    ] = "company",
    value: Annotated[
        str | None,
        typer.Option("--value", help="Only this account, channel, team, agent, tier, part of the day or topic."),
    ] = None,
    window: Annotated[
        str | None,
        typer.Option("--window", help="24h, 7d, 30d, 90d, month or last_month. Default: 30d; for accounts month."),
    ] = None,
    clock: Annotated[
        str, typer.Option("--clock", help="wall, or that of an import (import:ID) or simulation (simulation:SEED).")
    ] = "wall",
    now: NowOption = None,
    kafka: KafkaOption = None,
    as_json: JsonOption = False,
) -> None:
    """How well customers are cared for.

    Response and resolution times, promises kept, satisfaction, retention, and the four C's: compassion, competence,
    convenience and consistency. Reads what the workers have told in Kafka (careline.rollups.v1) and adds it up.

    Example: careline care --scope team --window 7d
    """
    from agents.domain.care_metrics import WINDOWS
    from schemas.rollup import RollupScope

    window = window or ("month" if scope == "account" else "30d")
    if scope not in get_args(RollupScope):
        raise stop(f"{scope!r} is no scope; there are {', '.join(get_args(RollupScope))}", WRONG_USE)
    if window not in WINDOWS or (scope == "account" and "month" not in window):
        allowed = [each for each in WINDOWS if scope != "account" or "month" in each]
        raise stop(f"{window!r} is no window of this scope; there are {', '.join(allowed)}", WRONG_USE)
    found, as_of = _asked(settings_of(context, kafka), clock, scope, window, now)
    found = [each for each in found if value in {None, each.value}]
    if not found:
        raise stop(f"nothing has been counted for {value or f'any {scope}'} on the clock {clock}")
    if as_json:
        told = {"scope": scope, "window": window, "clock": clock, "as_of": as_of}
        print(json.dumps(told | {"values": [_as_json(each) for each in found]}, ensure_ascii=False))
        return
    say(f"{scope}, {window}, as of {as_of} on the clock {clock}")
    for each in found:
        _tell(each)


def _asked(settings: "Settings", clock: str, scope: str, window: str, now: str | None) -> "tuple[list[CareValue], str]":
    from agents.domain.instant import to_datetime
    from streams.care_parts import care_values, read_parts, topic_names
    from streams.kafka_admin import KafkaUnavailable
    from streams.topic_reader import TopicAbsent

    try:
        parts = read_parts(settings, clock)
        names = topic_names(settings, clock) if scope == "topic" else {}
    except (KafkaUnavailable, TopicAbsent) as error:
        raise stop(f"careline care: {error}") from None
    as_of = _instant(parts, clock, now)
    found = care_values(parts, cast("RollupScope", scope), cast("Window", window), as_of)
    found = [each._replace(name=names.get(each.value or "")) for each in found]
    return found, to_datetime(as_of).isoformat(timespec="seconds").replace("+00:00", "Z")


def _instant(parts: "Sequence[Rollup]", clock: str, now: str | None) -> int:
    """The wall's clock is now; another one stands where its last event has brought it."""
    from streams.care_parts import latest_instant

    latest = latest_instant(parts)
    if now is not None or clock == "wall" or latest is None:
        return now_of(now)
    return latest


def _tell(found: "CareValue") -> None:
    say("")
    if found.value is not None:
        say(found.value if found.name is None else f"{found.name} ({found.value})", style="bold")
    rows = [
        (figure.name, _number(figure.value), figure.unit, str(figure.population))
        for figure in found.figures
        if figure.population or figure.value is not None
    ]
    say_table(("figure", "value", "unit", "of"), rows)
    for each in found.four_cs:
        say("")
        say(f"{each.name} {_score(each.score)} (coverage {each.coverage / 100:.0f} %)", style="bold")
        for part in each.parts:
            value = None if part.value is None else cast("int", part.value) / 1e6
            say(f"  {part.points / 100:6.2f}  {part.signal} {_number(value)}, weight {part.weight / 100:.0f} %")


def _as_json(found: "CareValue") -> dict[str, Any]:
    return {
        "value": found.value,
        **({} if found.name is None else {"name": found.name}),
        "figures": {
            each.name: {"value": each.value, "unit": each.unit, "population": each.population} for each in found.figures
        },
        "four_cs": [
            {
                "name": each.name,
                "score": None if each.score is None else each.score / 100,
                "coverage": each.coverage / 10_000,
                "parts": [
                    {
                        "figure": part.signal,
                        "value": None if part.value is None else cast("int", part.value) / 1e6,
                        "sub_score": None if part.sub_score is None else part.sub_score / 100,
                        "weight": part.weight / 10_000,
                        "points": part.points / 100,
                    }
                    for part in each.parts
                ],
            }
            for each in found.four_cs
        ],
    }


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:,.3f}".rstrip("0").rstrip(".")


def _score(score: int | None) -> str:
    return "unknown" if score is None else f"{score / 100:.2f}"
