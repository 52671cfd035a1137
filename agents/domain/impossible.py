"""What a record can be although it fits its contract: impossible. Raised by the domain, answered with a dead letter."""


class ImpossibleEventError(ValueError):
    """An event that contradicts itself or lacks what its kind needs. The message names the field."""
