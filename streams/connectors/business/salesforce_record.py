"""One change of one Salesforce record, in whatever it is wrapped: what it is called, when it was, and by whom.

Change events come by CometD (`data.payload`), by Pub/Sub API (`payload`), through event relays (`detail.payload`) or
bare; a record of the REST API says its kind under `attributes`. `salesforce_cases` and `salesforce_changes` say what a
change means.

Source: Salesforce "Change Data Capture Developer Guide" (event message fields, gap events) and "REST API Developer
Guide".
"""

from collections.abc import Iterator
from datetime import datetime

from streams.connectors.payload_reading import (
    Json,
    Malformed,
    at,
    content_id,
    id_text,
    instant,
    items,
    table,
    tables,
    text,
)

HEADER = "ChangeEventHeader"
WRAPPINGS = (("data", "payload"), ("detail", "payload"), ("payload",), ("event", "payload"))
"""Where the fields of an event may be inside of its message."""

CHANGES = frozenset({"CREATE", "UPDATE", "DELETE", "UNDELETE"})
FIELDS_OF_NOBODY = frozenset({HEADER, "LastModifiedDate", "LastModifiedById", "SystemModstamp", "attributes", "Id"})


class SalesforceRecord:
    """A record and the change of it. `change` is null for a record outside of any event."""

    def __init__(self, fields: dict[str, Json], kind: str, record_id: str, change: str | None) -> None:
        self.fields = fields
        self.kind = kind
        self.id = record_id
        self.change = change
        self._header = table(fields, HEADER)

    @property
    def is_new(self) -> bool:
        """Whether this is the whole record and not a part of it."""
        return self.change in {"CREATE", None}

    @property
    def changed(self) -> frozenset[str]:
        """The fields that have changed. Where the list is left out or a bitmap, they are those that have a value."""
        listed = [name for name in items(self._header, "changedFields") if isinstance(name, str)]
        named = frozenset(name for name in listed if not name.startswith("0x"))
        present = frozenset(name for name, value in self.fields.items() if value is not None)
        return (named or present) - FIELDS_OF_NOBODY

    @property
    def at(self) -> datetime | None:
        """When it was committed; for a bare record when it was last changed, or made."""
        said = (instant(self.fields, key) for key in ("LastModifiedDate", "CreatedDate"))
        return instant(self._header, "commitTimestamp") or next((found for found in said if found), None)

    @property
    def user(self) -> str | None:
        """The user who did it."""
        return (
            id_text(self._header, "commitUser")
            or id_text(self.fields, "LastModifiedById")
            or id_text(self.fields, "CreatedById")
        )

    @property
    def event_id(self) -> str:
        """The change's own id: its place within its transaction, and the record, since one event may name several."""
        transaction, number = id_text(self._header, "transactionKey"), id_text(self._header, "sequenceNumber")
        if transaction is not None:
            return f"{transaction}:{number or 0}:{self.id}"
        return f"{self.id}:{content_id(self.fields)}"

    def text(self, field: str) -> str | None:
        """A text field."""
        return text(self.fields, field)

    def id_of(self, field: str) -> str | None:
        """The id of another record."""
        return id_text(self.fields, field)

    def identities(self, *found: tuple[str, str | None]) -> tuple[str, ...]:
        """`kind:value` for those that are known."""
        return tuple(f"{kind}:{value}" for kind, value in found if value)


def messages_in(payload: Json) -> list[Json] | None:
    """The messages of a list or of a page of records; null where the payload is one message."""
    listed = next((found for key in ("records", "events") if (found := at(payload, key)) is not None), payload)
    return listed if isinstance(listed, list) else None


def records_in(message: Json) -> Iterator[SalesforceRecord | str]:
    """The records of a message, or a short reason for having none.

    Raises:
        Malformed: it is neither a change event, nor a platform event, nor a record.
    """
    inside = next((found for path in WRAPPINGS if (found := table(message, *path))), table(message))
    header = table(inside, HEADER)
    if header:
        yield from _changes(inside, header)
        return
    channel = text(message, "channel") or text(message, "data", "channel") or ""
    told = table(message, "event") or table(message, "data", "event")
    if channel.startswith("/event/") or "EventUuid" in told or "replayId" in told:
        yield "other_subject"
        return
    notified = list(tables(inside, "notifications")) or [table(inside, "Notification") or inside]
    for notification in notified:
        record = table(notification, "sObject") or table(notification, "sobject") or notification
        kind = text(record, "attributes", "type") or text(record, "type")
        record_id = id_text(record, "Id") or id_text(record, "id")
        if kind is None or record_id is None:
            raise Malformed(f"Object contains no {HEADER} - at `$.payload.{HEADER}`")
        yield SalesforceRecord(record, kind, record_id, None)


def _changes(fields: dict[str, Json], header: dict[str, Json]) -> Iterator[SalesforceRecord | str]:
    kind, change = text(header, "entityName"), text(header, "changeType") or ""
    found = [record_id for record_id in map(id_text, items(header, "recordIds")) if record_id]
    if change.startswith("GAP_"):
        yield "needs_fetch"
        return
    if kind is None:
        raise Malformed(f"Object contains no entityName - at `$.payload.{HEADER}.entityName`")
    if not found:
        raise Malformed(f"Object contains no recordIds - at `$.payload.{HEADER}.recordIds`")
    for record_id in found:
        yield SalesforceRecord(fields, kind, record_id, change)
