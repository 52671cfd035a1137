"""A policy or profile file as it was published: one record for each version, kept for ever.

`careline policy publish` and `careline work --policies` write it, under the key `policy/VERSION`; `careline health
publish` and `careline work --health` under the key `health/VERSION`. Beside it stand the control records that put the
version in force; whoever wants to know what was promised or scored by when reads it.
"""

from datetime import datetime

from msgspec import Struct


class PublishedPolicy(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One version of the promises, or of what healthy means.

    A version name is used once: what was judged by it stays explicable.

    `published_at` is the `as_of` of its control records, and the start of its force where the file names none.
    """

    id: str
    version: str
    published_at: datetime
    effective_from: datetime | None = None
    text: str
    """The file as it was written, comments and all."""
    published: str
    """What it means, complete in itself (`schemas.policy.to_published`, `agents.domain.health_shelf.to_published`)."""
    complete: bool = False
    """Whether every partition has its control record.

    False: publishing was interrupted; publishing again completes it.
    """

    @property
    def in_force_from(self) -> datetime:
        """From when on events are judged by it, until the next version."""
        return self.effective_from or self.published_at
