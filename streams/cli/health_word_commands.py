"""`careline health override`, `pulse`, `plays` and `done`: what people say about an account, and what they do.

What is said goes into Kafka as a signal and is read by the account agent like any other, so a replay hears it again.
Exit status 0: sent, or listed · 1: Kafka is absent, or the action is not open · 2: the command line is wrong.
"""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from streams.cli.admin_options import FAILED, JsonOption, KafkaOption, say, say_table, settings_of, stop

if TYPE_CHECKING:
    from schemas.health_score import HealthScore, OpenAction
    from schemas.signal import Signal, SignalKind
    from streams.settings import Settings

_Account = Annotated[str, typer.Argument(metavar="ACCOUNT", help="Its id.", show_default=False)]
_Because = Annotated[str, typer.Option("--because", metavar="TEXT", help="The reason; it is shown with the score.")]


def health_override(
    context: typer.Context,
    account: _Account,
    score: Annotated[float | None, typer.Argument(min=0, max=100, help="From 0 to 100.", show_default=False)] = None,
    because: _Because = "",
    until: Annotated[
        str | None, typer.Option("--until", metavar="INSTANT", help="When it ends, for example 2026-06-01T00:00:00Z.")
    ] = None,
    end: Annotated[bool, typer.Option("--end", help="Lift the override that is in force.")] = False,
    kafka: KafkaOption = None,
) -> None:
    """Put a person's own score in place of the computed one.

    It needs a reason, wins over caps and floors, and stands in the score as
    a part of its own until it expires or is lifted with --end.

    Example: careline health override acme 20 --because "they told us that they will leave"
    --until 2026-06-01T00:00:00Z
    """
    if end == (score is not None):
        raise typer.BadParameter("give a score, or --end", param_hint="SCORE")
    if not end and not because.strip():
        raise typer.BadParameter("say why; the reason is shown with the score", param_hint="--because")
    expires_at = _expiry(until)
    signal = _signal("override", account, "override", score, because)
    _send(context, kafka, signal, expires_at)
    say(f"{account}: the override is lifted" if end else f"{account}: {score:g} in place of the computed score")


def health_pulse(
    context: typer.Context,
    account: _Account,
    score: Annotated[float, typer.Argument(min=0, max=100, help="From 0 to 100.", show_default=False)],
    kafka: KafkaOption = None,
) -> None:
    """Tell how an account feels to you: the signal `pulse`.

    Example: careline health pulse acme 70
    """
    _send(context, kafka, _signal("pulse", account, "pulse", score, ""), None)
    say(f"{account}: pulse {score:g}")


def health_plays(
    context: typer.Context,
    owner: Annotated[str | None, typer.Option("--owner", metavar="OWNER", help="Only those of this owner.")] = None,
    kafka: KafkaOption = None,
    as_json: JsonOption = False,
) -> None:
    """List the next actions that are open, the oldest first.

    Example: careline health plays --owner account
    """
    found = [
        (score.account_id, action)
        for score in _latest_scores(settings_of(context, kafka), "careline health plays")
        for action in score.actions
        if owner in {None, action.owner}
    ]
    found.sort(key=lambda each: (each[1].opened_at, each[1].id))
    if as_json:
        from streams.cli.told_problems import print_json

        print_json({"actions": [_as_json(account, action) for account, action in found]})
        return
    rows = [
        [action.id, account, action.action, action.owner or "", action.reason, f"{action.opened_at:%Y-%m-%d %H:%M}"]
        for account, action in found
    ]
    say_table(("id", "account", "action", "owner", "because", "since"), rows)


def health_done(
    context: typer.Context,
    action_id: Annotated[str, typer.Argument(metavar="ID", help="As `careline health plays` lists it.")],
    dismiss: Annotated[bool, typer.Option("--dismiss", help="It is not to be done at all.")] = False,
    kafka: KafkaOption = None,
) -> None:
    """Say that a next action is done, or with --dismiss that it shall not be.

    Its play opens no new one until it has once ceased to fit.

    Example: careline health done acme/ask-for-reference/20260302T120000
    """
    for score in _latest_scores(settings_of(context, kafka), "careline health done"):
        for action in score.actions:
            if action.id == action_id:
                word = "dismissed" if dismiss else "done"
                signal = _signal("action", score.account_id, action.play, None, word, action_id)
                _send(context, kafka, signal, None)
                say(f"{action_id}: {word}")
                return
    raise stop(f"careline health done: no open action has the id {action_id!r}; `careline health plays` lists them")


def _expiry(until: str | None) -> datetime | None:
    from streams.cli.history_files import instant_of

    return None if until is None else instant_of(until, "--until")


def _signal(
    kind: "SignalKind", account: str, name: str, value: float | None, text: str, about: str | None = None
) -> "Signal":
    from schemas.signal import Signal
    from streams.signal_sender import SOURCE

    now = datetime.now(UTC)
    return Signal(
        id=f"{kind}/{account}/{about or name}/{now.isoformat()}",
        source=SOURCE,
        account_id=account,
        occurred_at=now,
        received_at=now,
        kind=kind,
        name=name,
        value=value,
        text=text.strip() or None,
        raw_reference=about,
    )


def _send(context: typer.Context, kafka: str | None, signal: "Signal", until: datetime | None) -> None:
    from msgspec.structs import replace

    from streams.kafka_admin import KafkaUnavailable
    from streams.signal_sender import send_signal

    try:
        send_signal(settings_of(context, kafka), replace(signal, until=until))
    except KafkaUnavailable as error:
        raise stop(f"careline health: {error}", FAILED) from None


def _latest_scores(settings: "Settings", command: str) -> "Iterator[HealthScore]":
    """What was told last of every account."""
    from schemas.codec import ContractViolation, decode
    from schemas.health_score import HealthScore
    from schemas.topics import HEALTH
    from streams.kafka_admin import KafkaUnavailable
    from streams.topic_reader import TopicAbsent, topic_reader

    latest: dict[bytes | None, bytes | None] = {}
    try:
        with topic_reader(settings.kafka) as reader:
            for record in reader.records(settings.topic(HEALTH.name)):
                latest[record.key] = record.value
        yield from [decode(HealthScore, value) for value in latest.values() if value is not None]
    except (KafkaUnavailable, TopicAbsent, ContractViolation) as error:
        raise stop(f"{command}: {error}", FAILED) from None


def _as_json(account: str, action: "OpenAction") -> dict[str, str | None]:
    return {
        "id": action.id,
        "account": account,
        "play": action.play,
        "action": action.action,
        "owner": action.owner,
        "reason": action.reason,
        "opened_at": action.opened_at.isoformat().replace("+00:00", "Z"),
    }
