"""What an interaction means to the clocks of its conversation, without its text.

`agents.domain.entries` makes these; a conversation remembers them (`schemas.conversation_state`), and a merged one
hands them over to its survivor (`schemas.interaction.Interaction.handed_over`).
"""

from typing import Any

from msgspec import Struct

from schemas.interaction_words import AuthorKind, InteractionType


class TimelineEntry(Struct, array_like=True, omit_defaults=True, gc=False):
    """One event in the life of a conversation. Instants are microseconds since the epoch.

    `facts` holds what its type needs, by contract field.
    """

    at: int
    id: str
    type: InteractionType = "message"
    author: AuthorKind = "system"
    public: bool = True
    automated: bool = False
    facts: dict[str, Any] | None = None
    policies_known: int | None = None
    """How many policy versions were activated when it was first applied: folding again judges by no later ones."""
    version: int = 0
    """Of the same id the highest version counts: a correction takes the place of what it corrects."""
