"""An issue from its beginning to its end: a theme that many customers suddenly write about, or a customer gone silent.

`agents.issue_agent` publishes one for each change. The newest of an issue says all that is known of it; the sink and
any subscriber have it next. It holds no text: messages are named by their ids.
"""

from datetime import datetime
from typing import Literal

from msgspec import Struct

IssueKind = Literal["issue_surge", "issue_silence"]
IssueStatus = Literal["opened", "updated", "closed"]


class Issue(Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """How an issue stands at `as_of`.

    `id` names this statement, `issue_id` the issue through its life. A surge that comes back later is another issue of
    the same `topic_id`.
    """

    id: str
    issue_id: str
    kind: IssueKind
    status: IssueStatus
    name: str
    """Readable: the telling words of a surge, or who is silent."""
    opened_at: datetime
    """When it was noticed, on `clock`."""
    as_of: datetime
    began_at: datetime
    """The first message of a surge; the last one before a silence."""
    topic_id: str | None = None
    """Of a surge: the theme, which keeps its id when it comes back."""
    times: int = 1
    """The how manieth surge of its theme."""
    growth: float | None = None
    """Of a surge: how many times more messages than expected, the most so far."""
    missing: float | None = None
    """Of a silence: how many contacts should have come when it was noticed."""
    account_id: str | None = None
    """Of a silence: who."""
    accounts: tuple[str, ...] = ()
    """Of a surge: who wrote about it, in the order of their first messages; the first hundred."""
    account_count: int = 0
    messages: tuple[str, ...] = ()
    """The first messages, as `<conversation id>/<interaction id>`."""
    owner: str | None = None
    """Whose it is by the rules in force when it was opened."""
    closed_at: datetime | None = None
    clock: str = "wall"
