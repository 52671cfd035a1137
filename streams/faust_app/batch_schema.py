"""How Faust reads a batch: not at all. The value is a list of raw Kafka records, and our own code decodes each.

A decode error inside a Faust serializer is acknowledged silently (and may push the commit over an event still in flight), so
Faust never decodes anything of ours.
"""

from typing import Any

import faust


class BatchSchema(faust.Schema):
    """Leaves key and value as they are."""

    def loads_key(self, app: Any, message: Any, **_: Any) -> Any:
        """The key, untouched; a batch has none."""
        return message.key

    def loads_value(self, app: Any, message: Any, **_: Any) -> Any:
        """The list of records, untouched."""
        return message.value
