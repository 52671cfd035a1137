"""Where a mail ends that comes by SMTP, and what its lines are without the dots put before them (RFC 5321, 4.5.2).

Pure: pieces in, content out, in whatever pieces the network brings them. `smtp_session` reads with it.
"""

END_OF_MAIL = b"\r\n.\r\n"
"""Nothing else ends a mail: a bare line feed that did would let one mail pass for two (CVE-2023-51764)."""


class MailData:
    """One mail, from the answer to DATA on."""

    def __init__(self) -> None:
        # As if a line had ended: the dot may come at once.
        self._pending = b"\r\n"
        self._surplus = 2
        self.behind: bytes | None = None
        """What came behind the end of the mail; null until it has come."""

    def feed(self, piece: bytes) -> bytes:
        """The content that is certain with this piece."""
        pending = self._pending + piece
        end = pending.find(END_OF_MAIL)
        if end >= 0:
            cut = end + 2
            self.behind = pending[end + len(END_OF_MAIL) :]
        else:
            # A line end that is not yet whole, or whose dot has not come, waits for the next piece.
            begun = pending.find(b"\r", max(0, len(pending) - len(END_OF_MAIL) + 1))
            cut = begun if begun >= 0 else len(pending)
        self._pending = pending[cut:]
        content = pending[:cut].replace(b"\r\n.", b"\r\n")
        skipped = min(self._surplus, len(content))
        self._surplus -= skipped
        return content[skipped:]
