"""Which metrics a row may set a due date for: those that Careline has, and the clocks that policies declare.

Pure. `streams.policy_files.mapping_reader` asks about names that stand in a mapping, `streams.history.row_values` about
those of rows. A due date for anything else would be read, sent and never heard of again.
"""

from dataclasses import dataclass

from schemas.policy import METRICS
from streams.policy_files.problem import nearest


@dataclass(frozen=True, slots=True)
class DueMetrics:
    """What is known about names. `declared` are the clocks of the policies at hand, null where there are none at hand.

    Without policies any name may be a clock that one declares, for `clocks:` takes any word that is not yet a metric.
    It cannot be text that no file would have as a name, or a metric in another spelling (`First Response`).
    """

    declared: frozenset[str] | None = None

    @property
    def known(self) -> tuple[str, ...]:
        """Every name that is known to be one."""
        return (*METRICS, *sorted(self.declared or ()))

    def may_be(self, name: str) -> bool:
        """Whether a due date can be set for this name, as far as is known."""
        if name in METRICS:
            return True
        if self.declared is not None:
            return name in self.declared
        return name.isprintable() and name == name.strip() and nearest(name, METRICS, cutoff=1.0) is None
