"""The fields of a form that a provider posts: multipart (RFC 7578), URL-encoded, or the same as a JSON object.

`mailgun_route` and `sendgrid_parse` read mails out of them. Nothing raises; a body that is no form has no fields.
"""

from dataclasses import dataclass, field
from urllib.parse import parse_qsl

import msgspec

from schemas.interaction import Attachment
from streams.connectors.connector_contract import Refused, WebhookRequest
from streams.connectors.mail.charset_reading import decoded
from streams.connectors.mail.mail_reading import attachment
from streams.connectors.mail.mime_tree import read_tree
from streams.connectors.payload_reading import Json, read_json

MOST_FIELDS = 1_000
MULTIPART = "multipart/form-data"


@dataclass(slots=True)
class Form:
    """The values of a form by name, the first of each, as they were sent; and the files, by their metadata."""

    values: dict[str, bytes] = field(default_factory=dict)
    files: list[Attachment] = field(default_factory=list)

    def text(self, *names: str, charset: str | None = None) -> str | None:
        """The first of these values that says something."""
        for name in names:
            if self.values.get(name, b"").strip():
                return decoded(self.values[name], charset)
        return None

    def json(self, name: str) -> Json:
        """A value that is JSON; null where it is none."""
        found = read_json(self.values.get(name, b""))
        return None if isinstance(found, Refused) else found

    def put(self, name: str, value: bytes) -> None:
        """Keep a value, unless there is one of that name."""
        if len(self.values) < MOST_FIELDS:
            self.values.setdefault(name, value)


def read_form(request: WebhookRequest) -> Form | Refused:
    """The form in a request's body. Without a Content-Type its kind is told by its first bytes."""
    content_type = request.headers.get("content-type") or ""
    body = request.body
    if content_type.lower().startswith(MULTIPART) or body.lstrip(b"\r\n").startswith(b"--"):
        return _multipart(content_type, body)
    if body.lstrip()[:1] in {b"{", b"["}:
        found = read_json(body)
        if isinstance(found, Refused):
            return found
        return _of_object(found) if isinstance(found, dict) else Refused("malformed_payload", "no form: a JSON list")
    return _urlencoded(body)


def _multipart(content_type: str, body: bytes) -> Form | Refused:
    if "boundary" not in content_type.lower():
        first = body.lstrip(b"\r\n").partition(b"\n")[0].strip().removeprefix(b"--")
        content_type = f'{MULTIPART}; boundary="{first[:200].decode("latin-1")}"'
    head = f"Content-Type: {content_type}\r\n\r\n".encode("utf-8", "surrogateescape")
    form = Form()
    for part in read_tree(head + body).parts:
        name = part.parameters.get("field")
        if part.parameters.get("filename"):
            form.files.append(attachment(part.name, part.media_type, part.size_bytes()))
        elif name:
            form.put(name, part.content)
    return form if form.values else Refused("malformed_payload", "a multipart form without fields")


def _urlencoded(body: bytes) -> Form | Refused:
    form = Form()
    try:
        written = body.strip(b"\r\n").decode("utf-8", "surrogateescape")
        pairs = parse_qsl(written, keep_blank_values=True, errors="surrogateescape", max_num_fields=MOST_FIELDS)
    except ValueError as error:
        return Refused("malformed_payload", f"a form that cannot be read: {error}")
    for name, value in pairs:
        if value or b"=" in body:
            form.put(name.encode("utf-8", "replace").decode(), value.encode("utf-8", "surrogateescape"))
    return form if form.values else Refused("malformed_payload", "no form: neither multipart nor URL-encoded fields")


def _of_object(found: dict[str, Json]) -> Form:
    form = Form()
    for name, value in found.items():
        said = value if isinstance(value, str) else msgspec.json.encode(value).decode() if value is not None else ""
        form.put(name, said.encode("utf-8", "replace"))
    return form
