"""How far a session of Discord's gateway has come, as the cursor keeps it: what resumes it, and what is still owed.

`discord_gateway` moves it with every dispatch; `discord_missed` fetches what a lost session did not tell.
"""

from datetime import datetime
from typing import Self

import msgspec


class GatewayPosition(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Up to where Discord has told everything.

    A session resumes with its id, the number of its last dispatch and an address of its own. `told_until` is the
    instant up to which nothing is missing. `owed_since` says from when on messages are to be fetched, because the
    session before could not be resumed; null when nothing is.
    """

    session_id: str | None = None
    seq: int | None = None
    resume_url: str | None = None
    told_until: datetime | None = None
    owed_since: datetime | None = None

    @classmethod
    def read(cls, cursor: str | None) -> Self:
        """The position of a cursor; the beginning where there is none, or none that can be read."""
        if cursor is None:
            return cls()
        try:
            return msgspec.json.decode(cursor, type=cls)
        except msgspec.DecodeError:
            return cls()

    def written(self) -> str:
        """As the cursor keeps it."""
        return msgspec.json.encode(self).decode()

    @property
    def resumable(self) -> bool:
        """Whether the session can be resumed. Whoever owes messages begins a new one: only that names the channels."""
        return None not in {self.session_id, self.seq, self.resume_url} and self.owed_since is None

    def without_session(self) -> Self:
        """After the session is lost: what came behind `told_until` is owed."""
        return type(self)(told_until=self.told_until, owed_since=self.owed_since or self.told_until)
