"""A clock as the commands print it: the columns that `docs/policy-format.md` promises, in that order.

`careline policy test` prints them as `actual`, `careline policy run` one clock a line.
"""

from datetime import UTC, datetime

from agents.domain.entries import stand_in_account
from schemas.clock_view import ClockView

NUMBER_COLUMNS = ("instance", "target_seconds", "elapsed_seconds", "wall_elapsed_seconds")
INSTANT_COLUMNS = ("started_at", "due_at", "satisfied_at", "breached_at")

ColumnValue = str | int | float | None


def columns_of(view: ClockView) -> dict[str, ColumnValue]:
    """One clock; null where something is unknown or there is no target."""
    return {
        "conversation": view.conversation_id,
        "account": known_account(view.conversation_id, view.account_id),
        "metric": view.metric,
        "instance": view.instance,
        "outcome": view.outcome,
        "policy": view.policy,
        "policy_version": view.policy_version,
        "priority": view.priority,
        "target_seconds": _number(view.target_seconds),
        "started_at": _instant(view.started_at),
        "due_at": _instant(view.due_at),
        "satisfied_at": _instant(view.satisfied_at),
        "breached_at": _instant(view.breached_at),
        "elapsed_seconds": _number(view.elapsed_seconds),
        "wall_elapsed_seconds": _number(view.wall_elapsed_seconds),
    }


COLUMNS = (
    "conversation",
    "account",
    "metric",
    "instance",
    "outcome",
    "policy",
    "policy_version",
    "priority",
    "target_seconds",
    "started_at",
    "due_at",
    "satisfied_at",
    "breached_at",
    "elapsed_seconds",
    "wall_elapsed_seconds",
)


def known_account(conversation: str, account: str) -> str | None:
    """The account, unless it only stands in for an unknown one."""
    return None if account == stand_in_account(conversation) else account


def instant_text(moment: datetime) -> str:
    """An instant in UTC such as `2026-03-02T14:30:00Z`, with a fraction only when there is one."""
    text = moment.astimezone(UTC).replace(tzinfo=None).isoformat()
    return f"{text.rstrip('0') if moment.microsecond else text}Z"


def _instant(moment: datetime | None) -> str | None:
    return None if moment is None else instant_text(moment)


def _number(seconds: float | None) -> int | float | None:
    return int(seconds) if seconds is not None and seconds == int(seconds) else seconds
