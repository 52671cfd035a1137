"""How Faust reads a batch: not at all. The value is a list of raw Kafka records, and our own code decodes each.

A decode error inside a Faust serializer is acknowledged silently (and may push the commit over an event still in
flight), so Faust never decodes anything of ours.
"""

from typing import Any

import faust
from typing_extensions import override


class BatchSchema(faust.Schema[Any, Any]):
    """Leaves key and value as they are."""

    @override
    def loads_key(self, app: Any, message: Any, **_: Any) -> Any:
        """The key, untouched; a batch has none."""
        return message.key

    @override
    def loads_value(self, app: Any, message: Any, **_: Any) -> Any:
        """The list of records, untouched."""
        return message.value
