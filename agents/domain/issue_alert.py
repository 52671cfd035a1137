"""What a person should act on when an issue begins, and that it is over.

`agents.issue_agent` publishes it beside the issue; notifiers have it next.
"""

from agents.domain.instant import DAY_US
from agents.domain.silent_accounts import FORGOTTEN_US
from schemas.alert import Alert
from schemas.issue import Issue

_NAMES = {"issue_surge": "IssueSurge", "issue_silence": "IssueSilence"}
_TOLD_ACCOUNTS = 20


def alert_of(issue: Issue) -> Alert | None:
    """The alert of an issue that was opened or is over; null for one that has only grown."""
    if issue.status == "updated":
        return None
    is_open = issue.status == "opened"
    return Alert(
        id=f"{issue.issue_id}/{'firing' if is_open else 'resolved'}",
        key=issue.issue_id,
        name=_NAMES[issue.kind],
        state="firing" if is_open else "resolved",
        severity="warning" if issue.kind == "issue_surge" else "info",
        account_id=issue.account_id or "",
        occurred_at=issue.as_of,
        summary=_summary_of(issue),
        clock=issue.clock,
        cause_id=issue.id,
        owner=issue.owner,
        issue_id=issue.issue_id,
        topic_id=issue.topic_id,
        growth=issue.growth,
        accounts=issue.accounts[:_TOLD_ACCOUNTS],
        messages=issue.messages,
    )


def _summary_of(issue: Issue) -> str:
    if issue.kind == "issue_silence":
        if issue.status == "closed":
            is_long_ago = (issue.as_of - issue.began_at).days >= FORGOTTEN_US // DAY_US
            if is_long_ago:
                return f"{issue.account_id} has not written for a year: no longer an issue"
            return f"{issue.account_id} has written again"
        return f"{issue.name} since {issue.began_at:%Y-%m-%d %H:%M} UTC; {issue.missing:g} contacts are missing"
    if issue.status == "closed":
        return f"No longer rising: {issue.name} ({issue.account_count} accounts wrote about it)"
    return f"{issue.account_count} accounts write about: {issue.name} ({issue.growth:g} times more than usual)"
