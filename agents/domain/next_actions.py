"""The next actions of an account: opened when a play fits, closed when somebody has done it or it fits no longer.

One action per play is open at a time. What was done or dismissed (`agents.domain.told_signals`) does not open again for
as long as the play goes on fitting. `agents.domain.live_health` asks after every judgement.
"""

from collections.abc import Sequence
from typing import Literal, NamedTuple

from agents.domain.health_verdict import NextAction
from agents.domain.instant import Instant, to_datetime
from schemas.alert import Alert
from schemas.health_memory import ActionState, HealthMemory
from schemas.health_score import OpenAction


class Moved(NamedTuple):
    """An action that has been opened or closed."""

    play: str
    action: ActionState
    state: Literal["firing", "resolved"]
    how: str


def follow(account_id: str, memory: HealthMemory, fitting: Sequence[NextAction], as_of: Instant) -> list[Moved]:
    """Open what has come to fit and forget what does so no more; what has been done is told once."""
    moved: list[Moved] = []
    fits = {play.id for play in fitting}
    actions = memory.actions
    for play in fitting:
        if play.id not in actions:
            action_id = f"{account_id}/{play.id}/{to_datetime(as_of):%Y%m%dT%H%M%S}"
            opened = actions[play.id] = ActionState(action_id, as_of, play.action, play.reason, play.owner)
            moved.append(Moved(play.id, opened, "firing", "opened"))
    for play_id, action in list(actions.items()):
        if play_id not in fits:
            del actions[play_id]
        elif action.status == "open":
            continue
        if not action.is_told:
            action.is_told = True
            how = "no longer called for" if action.status == "open" else action.status
            moved.append(Moved(play_id, action, "resolved", how))
    return moved


def open_actions(memory: HealthMemory) -> tuple[OpenAction, ...]:
    """What waits for somebody, by play."""
    return tuple(
        OpenAction(
            id=action.id,
            play=play,
            action=action.action,
            reason=action.reason,
            opened_at=to_datetime(action.opened_at),
            owner=action.owner,
        )
        for play, action in sorted(memory.actions.items())
        if action.status == "open"
    )


def action_alert(account_id: str, moved: Moved, as_of: Instant, clock: str, cause_id: str | None) -> Alert:
    """An action that somebody should take (`firing`), or need not any more (`resolved`)."""
    action, phase = moved.action, moved.state
    key = f"NextAction/{action.id}"
    why = action.reason if phase == "firing" else moved.how
    return Alert(
        id=f"{key}/{phase}",
        key=key,
        name="NextAction",
        state=phase,
        severity="info",
        account_id=account_id,
        occurred_at=to_datetime(as_of),
        summary=f"{action.action} ({why})" if why else action.action,
        clock=clock,
        cause_id=cause_id,
        owner=action.owner,
        play=moved.play,
    )
