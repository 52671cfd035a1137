"""Every connector there is: the built-in ones, and those that other packages bring.

A package brings a connector by an entry point of the group `careline.connectors` that names a `ConnectorKind`.
"""

from importlib.metadata import entry_points

from streams.connectors.connector_contract import ConnectorKind
from streams.connectors.helpdesks.chatwoot_channel import CHATWOOT
from streams.connectors.helpdesks.front_channel import FRONT
from streams.connectors.helpdesks.helpscout_channel import HELPSCOUT
from streams.connectors.helpdesks.intercom_channel import INTERCOM
from streams.connectors.helpdesks.zendesk_channel import ZENDESK
from streams.connectors.own_words.cloudevents_http import CLOUDEVENTS
from streams.connectors.own_words.webhook_generic import WEBHOOK

BUILT_IN: tuple[ConnectorKind, ...] = (CHATWOOT, FRONT, HELPSCOUT, INTERCOM, ZENDESK, CLOUDEVENTS, WEBHOOK)

ENTRY_POINTS = "careline.connectors"


def known_connectors() -> dict[str, ConnectorKind]:
    """Connectors by id. A built-in one cannot be replaced from outside: its id means the same everywhere.

    Raises:
        TypeError: an entry point names something else than a `ConnectorKind`.
    """
    found: dict[str, ConnectorKind] = {}
    for point in entry_points(group=ENTRY_POINTS):
        kind = point.load()
        if not isinstance(kind, ConnectorKind):
            raise TypeError(f"the entry point {point.name} of {ENTRY_POINTS} is no ConnectorKind")
        found[kind.id] = kind
    return found | {kind.id: kind for kind in BUILT_IN}
