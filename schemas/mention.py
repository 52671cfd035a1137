"""That a customer wrote, and by which words: what the issue agent counts.

`careline enrich` publishes one for each public message of a customer that it reads, all into one partition, so that
there is one order in which they were counted; `agents.issue_agent` has them next. It holds no text but its telling
words, without addresses, numbers, quotations and the words that say nothing (`agents.domain.message_words`).
"""

from datetime import datetime

from msgspec import Struct


class Mention(Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """One message of a customer as the issue agent takes it.

    `id` is `<conversation id>/<interaction id>`, the same for every delivery of the message.
    """

    id: str
    account_id: str
    occurred_at: datetime
    words: tuple[str, ...] | None = None
    """As written, in lower case, in their order; null where the text is not published: then only silence is watched."""
    clock: str = "wall"
    sentiment: float | None = None
    """-1 to 1, as the enrichment says; null where there is nothing to go by."""
