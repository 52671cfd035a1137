"""One telephone call and the three things that are told of it: it began, somebody took it, it ended.

The direction says who is the customer: who calls in, or who is called. Event ids follow from the call's own id, so
that a status told twice, or told again in the call's final record, counts once. Every connector of this room has it.
"""

from datetime import datetime
from typing import Any

from schemas.interaction import Author, AuthorKind
from streams.connectors.connector_contract import Draft
from streams.connectors.drafting import Drafter
from streams.connectors.phone_numbers import phone_identities


class PhoneCall:
    """What can be told of one call, between a customer and an agent by their ids, which are numbers in most cases."""

    def __init__(
        self,
        drafter: Drafter,
        call_id: str,
        *,
        inbound: bool,
        customer: str | None,
        agent: str | None = None,
        conversation: str | None = None,
        identities: tuple[str, ...] = (),
        **words: Any,  # noqa: ANN401 - contract fields
    ) -> None:
        """`conversation` is given where several legs are one call; `words` are fields of every event."""
        self._drafter = drafter
        self._id = call_id
        self._conversation = conversation or call_id
        self._inbound = inbound
        self._customer = customer
        self._agent = agent
        self._identities = identities or phone_identities(customer)
        self._words = {"direction": "inbound" if inbound else "outbound", "agent": self._agent} | words

    def started(self, at: datetime | None, **words: Any) -> Draft:  # noqa: ANN401 - contract fields
        """It rings: the customer called, or we did."""
        return self._event("started", self._author("customer" if self._inbound else "agent"), at, words)

    def answered(self, at: datetime | None, by: AuthorKind | None = None, **words: Any) -> Draft:  # noqa: ANN401 - contract fields
        """Whoever was called has taken it, unless the provider says who did."""
        return self._event("answered", self._author(by or ("agent" if self._inbound else "customer")), at, words)

    def ended(self, at: datetime | None, by: AuthorKind = "system", **words: Any) -> Draft:  # noqa: ANN401 - contract fields
        """It is over, whether anybody took it or not. Most providers do not say who hung up."""
        return self._event("ended", self._author(by), at, words)

    def _author(self, kind: AuthorKind) -> Author:
        if kind == "customer":
            return self._drafter.author("customer", self._customer)
        return Author(kind, self._agent if kind == "agent" else None)

    def _event(self, what: str, author: Author, at: datetime | None, words: dict[str, Any]) -> Draft:
        return self._drafter.interaction(
            f"{self._id}:{what}",
            f"call_{what}",  # type: ignore[arg-type]  # one of three words
            self._conversation,
            at,
            author,
            identities=self._identities,
            **(self._words | words),
        )
