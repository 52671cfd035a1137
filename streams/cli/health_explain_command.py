"""`careline health explain`: why an account is as healthy as it is.

Read live from what a worker has told last (`careline.health.v1`), or from a file of signals as `careline health run`
reads them.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from streams.cli.admin_options import FAILED, KafkaOption, say, say_table, settings_of, stop
from streams.cli.health_run_command import NowOption, now_of

if TYPE_CHECKING:
    from streams.settings import Settings

_MOST_NAMES = 10_000
"""Among more accounts than this none is looked for that is written alike."""


def health_explain(
    context: typer.Context,
    account: Annotated[str, typer.Argument(metavar="ACCOUNT", help="Its id.", show_default=False)],
    files: Annotated[
        list[Path] | None,
        typer.Argument(metavar="[FILE...]", help="Signals to read instead of asking Kafka.", show_default=False),
    ] = None,
    profile: Annotated[
        Path | None, typer.Option("--profile", metavar="PROFILE.yaml", help="With FILE: the profiles that score.")
    ] = None,
    mapping: Annotated[
        Path | None, typer.Option("--mapping", metavar="MAPPING.yaml", help="With FILE: how rows become values.")
    ] = None,
    now: NowOption = None,
    kafka: KafkaOption = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object instead of text.")] = False,
) -> None:
    """Why is this account as healthy as it is?

    Tells the score and all of its parts, which add up to it to the last
    digit, what holds it up or down, what to do next, and every change so far
    with its cause.

    Without FILE it reads what a worker has told last in Kafka, which has the
    last change only; with FILE, --profile and --mapping it reads signals and
    needs no Kafka.

    Example: careline health explain account-030 --profile examples/health/support.yaml
    --mapping examples/health/accounts.mapping.yaml examples/health/accounts.csv

    Exit status: 0; 1 when the account is not known or Kafka is away; 2 when a file or an option is wrong.
    """
    from streams.cli.told_problems import print_json

    if files:
        if profile is None or mapping is None:
            raise typer.BadParameter("FILE needs both --profile and --mapping", param_hint="FILE")
        found = _of_files(account, profile, mapping, files, now, as_json=as_json)
    elif profile is not None or mapping is not None or now is not None:
        raise typer.BadParameter(
            "--profile, --mapping and --now go with FILE; without one Kafka is asked", param_hint="FILE"
        )
    else:
        found = _of_worker(account, settings_of(context, kafka))
    if as_json:
        print_json(found)
    else:
        _say(found)


def _of_files(
    account: str, profile: Path, mapping: Path, files: Sequence[Path], now: str | None, *, as_json: bool
) -> dict[str, Any]:
    from agents.domain.health_story import story
    from agents.domain.health_verdict import HealthBook
    from streams.cli.health_history import load_snapshots
    from streams.health_files.family_scores import FamilyScores
    from streams.health_files.snapshot_rows import observed_by_account
    from streams.health_files.verdict_columns import changes_of, columns_of
    from streams.policy_files.problem import did_you_mean

    instant = now_of(now)
    profiles, _, snapshots = load_snapshots(profile, mapping, files, strict=False, as_json=as_json, undated_at=instant)
    book = HealthBook(profiles)
    family = FamilyScores(book, observed_by_account(snapshots.rows), instant)
    known = family.known
    if account not in known:
        names = known if len(known) <= _MOST_NAMES else ()
        hint = did_you_mean(account, names, "ids are those that the mapping makes")
        raise stop(f"careline health explain: no account {account!r} among the {len(known):,} of these files ({hint})")
    verdict, (who, observed) = family.verdict(account), known[account]
    changes = [verdict] if family.aggregates(account) else list(story(book, who, observed, instant))
    return columns_of(verdict, profiles.version) | {"changes": changes_of(changes)}


def _of_worker(account: str, settings: "Settings") -> dict[str, Any]:
    """The last score that was told. The topic is keyed by account, so one partition is read."""
    from schemas.codec import ContractViolation, decode
    from schemas.health_score import HealthScore
    from schemas.topics import HEALTH
    from streams.health_files.verdict_columns import published_columns
    from streams.kafka_admin import KafkaUnavailable
    from streams.lane.lane_effects import partition_of
    from streams.topic_reader import TopicAbsent, topic_reader

    topic = settings.topic(HEALTH.name)
    try:
        with topic_reader(settings.kafka) as reader:
            partition = partition_of(account, len(reader.partitions(topic)))
            record = reader.latest(topic, account.encode(), partition).get(partition)
        if record is None:
            raise stop(
                f"careline health explain: no score of an account {account!r} has been told. Ids are those in {topic} "
                "and in the column account_id; or `careline work` has not read its events yet"
            )
        health = decode(HealthScore, record.value)
    except (KafkaUnavailable, TopicAbsent, ContractViolation) as error:
        raise stop(f"careline health explain: {error}", FAILED) from None
    found = published_columns(health)
    last = {"at": found["as_of"], **{key: found[key] for key in ("change", "score", "band", "reason")}}
    return found | {"changes": [last]}


def _say(found: Mapping[str, Any]) -> None:
    score = "no score" if found["score"] is None else f"{found['score']:.2f}, {found['band']}"
    say(f"{found['account']}: {score}, as of {found['as_of']}", style="bold")
    say(f"profile {found['profile']}, version {found['profile_version']}; coverage {found['coverage']:.0%}")
    say(found["reason"])
    if found["contributions"]:
        say("")
        header = ("part", "value", "sub-score", "weight", "points", "change", "observed")
        total = ["together", "", "", "", _points(found["score"]), "", ""]
        say_table(header, [*map(_part, found["contributions"]), total])
    if found.get("churn") is not None:
        say("")
        say(_churn(found["churn"]))
    if found["plays"]:
        say("")
        for play in found["plays"]:
            owner = f" [{play['owner']}]" if play["owner"] else ""
            say(f"next: {play['action']}{owner} ({play['reason']})")
    say("")
    for change in found["changes"]:
        say(f"{change['at']}  {change['reason']}")


def _churn(churn: Mapping[str, Any]) -> str:
    parts = [(name, churn.get(name)) for name in ("level", "trend", "recency")]
    sums = " + ".join(f"{points:.2f} {name}" for name, points in parts if points is not None)
    probability = churn.get("probability")
    told = "" if probability is None else f"; probability of leaving {probability:.1%}"
    return f"churn risk {churn['index']:.2f} = {sums}{told}"


def _part(part: Mapping[str, Any]) -> list[str]:
    name = f"{part['component']}/{part['signal']}" if part["signal"] else f"{part['component']}: {part['because']}"
    value = "-" if part["value"] is None else str(part["value"])
    change = "" if part["change"] is None else f"{part['change']:+.2f}"
    cells = (_points(part["sub_score"]), f"{part['weight']:.2%}", _points(part["points"]), change)
    return [name, value, *cells, part["observed_at"] or ""]


def _points(points: float | None) -> str:
    return "-" if points is None else f"{points:.2f}"
