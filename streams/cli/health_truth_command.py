"""`careline health truth`: do the scores find what only a simulation knows?

The lives come from `streams.simulation.company_life`, the judgement from the agents themselves in memory
(`streams.truth`); `docs/health.md` explains the model, and has the figures.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from streams.cli.admin_options import say, say_table

if TYPE_CHECKING:
    from agents.domain.health_profile import HealthFile
    from schemas.policy import PolicyFile
    from streams.policy_files.problem import Problem
    from streams.truth.truth_report import MeasureFigures, TruthReport

_Profile = Annotated[
    Path | None,
    typer.Option("--profile", metavar="PROFILE.yaml", help="The profiles that score. Default: the built-in one."),
]
_Policies = Annotated[
    Path | None,
    typer.Option("--policies", metavar="POLICIES.yaml", help="What was promised. Default: what the demo promises."),
]
_Months = Annotated[int, typer.Option("--months", min=3, max=24, help="How long each life is, in months of 30 days.")]
_Seeds = Annotated[
    list[int] | None,
    typer.Option(
        "--seed", metavar="SEED", help="Judge the life of this seed; may be repeated. Default: the fixed six."
    ),
]
_Json = Annotated[bool, typer.Option("--json", help="Print one JSON object instead of text.")]


def health_truth(
    profile: _Profile = None,
    policies: _Policies = None,
    months: _Months = 6,
    seed: _Seeds = None,
    as_json: _Json = False,
) -> None:
    """Do the scores find what only a simulation knows?

    Makes months in the life of simulated companies in which some accounts
    are going to leave, something breaks, and one valued customer is
    forgotten; lets the agents judge what can be observed of it; and compares
    what they say with the truth: how well those who leave are told from
    those who stay, how long before one is warned, how often in vain, and how
    soon the outage is noticed. Naive measures stand beside them.

    The same seeds give the same figures. Takes about half a minute.

    Example: careline health truth --profile examples/health/subscription.yaml

    Exit status: 0, or 2 when a file is wrong.
    """
    from streams.truth.truth_report import SEEDS, report_on

    promised, profiles = _files(policies, profile, as_json=as_json)
    report = report_on(list(dict.fromkeys(seed or SEEDS)), months, promised, profiles)
    if as_json:
        from streams.cli.told_problems import print_json

        print_json(report.as_json())
        return
    _say(report)


def _files(policies: Path | None, profile: Path | None, *, as_json: bool) -> "tuple[PolicyFile, HealthFile | None]":
    from streams.demo.demo_parts import POLICY_FILE
    from streams.health_files.profile_reader import read_profile_file
    from streams.policy_files.policy_reader import read_policy_file
    from streams.policy_files.problem import Problems

    of_policies = Problems(str(policies or POLICY_FILE))
    promised = read_policy_file(policies or POLICY_FILE, of_policies)
    of_profile = Problems(str(profile))
    profiles = None if profile is None else read_profile_file(profile, of_profile)
    if promised is None or of_profile.errors:
        _stop([*of_policies.errors, *of_profile.errors], as_json=as_json)
    return promised, profiles


def _stop(errors: "Sequence[Problem]", *, as_json: bool) -> NoReturn:
    from streams.cli.history_files import stop
    from streams.cli.told_problems import print_json, problems_as_json

    if as_json:
        print_json({"errors": problems_as_json(errors)})
    stop(errors)


def _say(report: "TruthReport") -> None:
    say(
        f"{len(report.seeds)} lives of {report.months} months (seeds {', '.join(map(str, report.seeds))}), profile "
        f"{report.profile}: {report.accounts:,} accounts, {report.left:,} of them leave"
    )
    say("")
    say_table(
        ["told from those who stay", *(f"{each.days_before} days before" for each in report.measures[0].ranking)],
        [[each.measure, *_areas(each)] for each in report.measures],
    )
    say("")
    warnings = [
        [
            each.measure,
            _shown(each.warned_ratio, "{:.0%}"),
            _shown(each.warning_days_median, "{:.0f}"),
            f"{each.false_alarms_per_month:.1f}",
            _shown(each.neglected_rank_median, "{:g}"),
        ]
        for each in report.measures
    ]
    say_table(["", "warned of", "days before", "false a month", "place of the forgotten"], warnings)
    say("")
    outages = [
        [
            each.measure,
            f"{each.found} of {len(report.seeds)}",
            _shown(each.delay_minutes_median, "{:.0f}"),
            f"{each.false_alarms_per_month:.2f}",
        ]
        for each in report.outages
    ]
    say_table(["the outage, noticed by", "found", "minutes after", "false a month"], outages)


def _areas(figures: "MeasureFigures") -> list[str]:
    return [
        "-"
        if each.roc_auc is None
        else f"{each.roc_auc:.3f}"
        + ("" if each.roc_auc_ci95 is None else f" ({each.roc_auc_ci95[0]:.2f} to {each.roc_auc_ci95[1]:.2f})")
        for each in figures.ranking
    ]


def _shown(figure: float | None, form: str) -> str:
    return "-" if figure is None else form.format(figure)
