"""How many requests of one route are let in: a token bucket, so that a burst passes and a flood does not.

`web_server` asks before it reads a body; who is turned away hears 429 and when to come again. Without a limit in
connectors.yaml a route is bounded only by what the server holds at once.
"""

from dataclasses import dataclass


@dataclass(slots=True)
class TokenBucket:
    """`per_second` requests on average, and `burst` of them at once. For one event loop; time is an argument."""

    per_second: float
    burst: float
    _tokens: float = -1.0
    _filled_at: float = 0.0

    def wait_seconds(self, now: float) -> float:
        """0 when a request is let in (and counted); else the seconds until one would be. `now` never goes back."""
        if self._tokens < 0:
            self._tokens, self._filled_at = self.burst, now
        self._tokens = min(self.burst, self._tokens + (now - self._filled_at) * self.per_second)
        self._filled_at = now
        if self._tokens >= 1:
            self._tokens -= 1
            return 0.0
        return (1 - self._tokens) / self.per_second
