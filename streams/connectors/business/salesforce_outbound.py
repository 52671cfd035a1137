"""Salesforce's outbound messages: SOAP, with the record as it was when a flow or a workflow rule sent it.

They are read into what the JSON connectors of Salesforce make of them, which `salesforce_record` knows. No header can
be set for them, so the token stands in the address; and they are sent again, for a day, until they are acknowledged.

Source: Salesforce "SOAP API Developer Guide", "Outbound Messaging" and its "Outbound Messaging WSDL".
"""

from xml.parsers import expat

from streams.connectors.connector_contract import Instance, ProviderAnswer, Refused, WebhookRequest
from streams.connectors.payload_reading import Json

NAMESPACE = "http://soap.sforce.com/2005/09/outbound"
TYPE = "http://www.w3.org/2001/XMLSchema-instance type"
RECORD = "sObject"
DEEPEST = 20
"""Elements within each other. An outbound message has six."""

ACKNOWLEDGED = (
    b'<?xml version="1.0" encoding="UTF-8"?>'
    b'<soapenv:Envelope xmlns:soapenv="http://schemas.xmlsoap.org/soap/envelope/"><soapenv:Body>'
    b'<notificationsResponse xmlns="http://soap.sforce.com/2005/09/outbound"><Ack>true</Ack></notificationsResponse>'
    b"</soapenv:Body></soapenv:Envelope>"
)


def is_outbound_message(request: WebhookRequest) -> bool:
    """Whether a body is XML; every other way in sends JSON."""
    return request.body.lstrip()[:1] == b"<"


def acknowledged(instance: Instance, request: WebhookRequest) -> ProviderAnswer | None:  # noqa: ARG001 - the same for all
    """The answer without which Salesforce sends an outbound message again."""
    return ProviderAnswer(body=ACKNOWLEDGED, content_type="text/xml") if is_outbound_message(request) else None


class _Records:
    """Collects the records of one message while it is read."""

    def __init__(self) -> None:
        self.found: list[Json] = []
        self.is_outbound = False
        self._path: list[str] = []
        self._record: dict[str, Json] = {}
        self._said: list[str] = []

    def begin(self, name: str, attributes: dict[str, str]) -> None:
        space, _, local = name.rpartition(" ")
        self.is_outbound = self.is_outbound or (local == "notifications" and space == NAMESPACE)
        self._path.append(local)
        self._said.clear()
        if len(self._path) > DEEPEST:
            raise ValueError("nested too deeply")
        if local == RECORD:
            self._record = {"type": attributes.get(TYPE, "").rpartition(":")[2]}

    def say(self, text: str) -> None:
        self._said.append(text)

    def end(self, name: str) -> None:
        local = name.rpartition(" ")[2]
        self._path.pop()
        said = "".join(self._said).strip()
        self._said.clear()
        if local == RECORD:
            self.found.append({"sObject": self._record})
        elif said and self._path[-1:] == [RECORD]:
            self._record[local] = said

    def refuse_document_type(self, *_: object) -> None:
        """Entities are declared there: without them nothing can be expanded, or fetched from elsewhere."""
        raise ValueError("a document type is not allowed")


def outbound_message(body: bytes) -> Json | Refused:
    """The records of an outbound message as a page of them; why it is none."""
    records, parser = _Records(), expat.ParserCreate(namespace_separator=" ")
    parser.StartElementHandler, parser.EndElementHandler = records.begin, records.end
    parser.CharacterDataHandler = records.say
    parser.StartDoctypeDeclHandler = records.refuse_document_type
    try:
        parser.Parse(body, True)  # noqa: FBT003 - the parser's own signature: this is all of it
    except (expat.ExpatError, ValueError) as error:
        return Refused("malformed_payload", f"{error} - at `$`")
    if not records.is_outbound:
        return Refused("not_understood", "the XML is no outbound message")
    return {"records": records.found}
