"""The ids of Zendesk's facts, the same whether a webhook, an audit or an export tells of them.

Zendesk gives a webhook an id of its own, which its API does not know; so an id is made of what both say: the comment,
or the ticket with its field, the new value and the second of the update (a webhook's `detail.updated_at` is the
`created_at` of the audit). A history that is fetched (`zendesk_history`) and what came live meet without doubling.
"""

from datetime import UTC, datetime

from streams.connectors.payload_reading import Json, id_text

NOBODY = "none"


def opening_id(ticket: str) -> str:
    """The first message of a ticket: its creation and its first comment are one fact."""
    return f"ticket:{ticket}:opening"


def comment_id(comment: str) -> str:
    """A later comment."""
    return f"comment:{comment}"


def message_id(message: str) -> str:
    """A message of messaging, which is no comment."""
    return f"message:{message}"


def change_id(ticket: str, field: str, value: Json, moment: datetime | None) -> str:
    """A field of a ticket that took a value in an update at this moment.

    Tags are told as they all stand after the update, so it has one change of them at most: `value` is left out (null).
    """
    said = id_text(value) or NOBODY
    return f"ticket:{ticket}:{field}:{said.lower()[:100]}:{second(moment)}"


def edit_id(comment: str, what: str, moment: datetime | None) -> str:
    """A comment that was made private or redacted."""
    return f"comment:{comment}:{what}:{second(moment)}"


def merge_id(ticket: str, into: str) -> str:
    """A ticket that was merged into another, which happens once."""
    return f"ticket:{ticket}:merged:{into}"


def rating_id(ticket: str, score: Json, moment: datetime | None) -> str:
    """A satisfaction rating."""
    return change_id(ticket, "rating", score, moment)


def second(moment: datetime | None) -> str:
    """The second of a moment, as Zendesk's API writes it."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ") if moment is not None else "unknown"
