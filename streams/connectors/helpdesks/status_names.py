"""Statuses that a company has named itself: the option `statuses` says which of ours they are.

Help desks let their owners add, rename and translate statuses, and a CRM's ticket stages are numbers of a pipeline.
`statuses: Job Application=on_hold, 954564780=resolved` goes before what a connector knows.
"""

from collections.abc import Mapping
from typing import get_args

from schemas.interaction import Status
from streams.connectors.connector_contract import Instance
from streams.connectors.payload_reading import Json, id_text

STATUSES_OPTION = {
    "statuses": "your own statuses in our words: NAME=STATUS, NAME=STATUS; a name may be the provider's id"
}

OURS: frozenset[Status] = frozenset(get_args(Status))


class StatusNames:
    """The statuses of one instance, by name or id in lower case."""

    def __init__(self, instance: Instance, known: Mapping[str, Status]) -> None:
        """`known` are the provider's own; what the option says wrongly is left out (`check_statuses` reports it)."""
        said = _pairs(instance)
        self._own: dict[str, Status] = {name: status for name, status in said if status in OURS}
        self._known = known

    def find(self, *names: Json) -> Status | None:
        """The first of these names or ids that means a status of ours; the company's own words go first."""
        words = [word for name in names if (word := status_word(name)) is not None]
        return self.own(*names) or next((self._known[word] for word in words if word in self._known), None)

    def own(self, *names: Json) -> Status | None:
        """The same by the company's own words alone."""
        words = (status_word(name) for name in names)
        return next((self._own[word] for word in words if word in self._own), None)


def status_word(name: Json) -> str | None:
    """A status' name or id as it is compared: lower case, single blanks."""
    found = id_text(name)
    return " ".join(found.lower().replace("_", " ").split()) or None if found is not None else None


def check_statuses(instance: Instance) -> None:
    """Look the option over.

    Raises:
        ValueError: it names a status that is none of ours.
    """
    wrong = [status for _, status in _pairs(instance) if status not in OURS]
    if wrong:
        raise ValueError(f"statuses: {wrong[0]!r} is none of {', '.join(sorted(OURS))}")


def _pairs(instance: Instance) -> list[tuple[str, str]]:
    pairs = (pair.rpartition("=") for pair in instance.options.get("statuses", "").split(",") if pair.strip())
    return [(status_word(name) or "", status.strip()) for name, _, status in pairs]
