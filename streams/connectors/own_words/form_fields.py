"""The fields of a web form, however it was sent: urlencoded, multipart or JSON.

Source: WHATWG HTML, "Form submission"; RFC 7578 for multipart/form-data. A body without its content type is told by its
first bytes. `form_channel` says what the fields mean.
"""

import re
from collections.abc import Iterator
from email.message import Message
from itertools import islice
from typing import NamedTuple

from schemas.interaction import Attachment
from streams.connectors.connector_contract import Refused, WebhookRequest
from streams.connectors.form_body import form_fields
from streams.connectors.own_words.form_words import VALUE
from streams.connectors.payload_reading import Json, id_text, read_json

MOST_FIELDS = 500
"""Of one form. Long questionnaires have some hundred."""
DEEPEST_JSON = 3
"""Levels of objects that are looked into: form builders wrap the fields once or twice."""
LONGEST_HEAD = 2_000
"""Bytes of a part's headers that are read; browsers write two hundred, and parameters are slow to take apart."""

NAMES_OF_FIELDS = ("name", "label", "title", "question", "key")
"""What form builders call the name of a listed field."""

_BOUNDARY = re.compile(rb"--([^\r\n]{1,100}?)[ \t]{0,9}\r?\n")


class PostedForm(NamedTuple):
    """Fields in their order, repeated ones with commas between their values; of files only what they are."""

    fields: dict[str, str]
    attachments: tuple[Attachment, ...] = ()


def read_form(request: WebhookRequest) -> PostedForm | Refused:
    """The fields of a form post, or why there are none."""
    body, media_type = request.body, Message()
    media_type["content-type"] = (request.headers.get("content-type") or "").encode("ascii", "replace").decode()
    kind = media_type.get_content_type() if request.headers.get("content-type") else ""
    boundary = _BOUNDARY.match(body)
    if kind == "application/json" or kind.endswith("+json") or (not kind and body.lstrip()[:1] in {b"{", b"["}):
        return _of_json(body)
    try:
        if kind == "multipart/form-data" or (not kind and boundary is not None):
            named = media_type.get_param("boundary")
            said = named.encode("ascii", "replace") if isinstance(named, str) and named else None
            return _of_multipart(body, said or (boundary.group(1) if boundary is not None else b""))
        pairs = form_fields(body)
    except UnicodeDecodeError as error:
        return Refused("not_utf8", str(error))
    except ValueError as error:
        return Refused("malformed_payload", f"{error} - at `$`")
    return PostedForm(_joined(_without_descriptions(pairs)))


def _without_descriptions(pairs: list[tuple[str, str]]) -> list[tuple[str, str]]:
    """The fields without what builders in PHP send beside each value, `fields[email][title]` and the like.

    Source: Elementor's form webhooks with advanced data, which write every field as `fields[id][value]`.
    """
    described = tuple(f"{name.removesuffix(VALUE)}[" for name, _ in pairs if name.endswith(VALUE))
    return [(name, said) for name, said in pairs if name.endswith(VALUE) or not name.startswith(described)]


def _of_json(body: bytes) -> PostedForm | Refused:
    content = read_json(body)
    if isinstance(content, Refused):
        return content
    if not isinstance(content, dict):
        return Refused("malformed_payload", "Expected an object of fields - at `$`")
    return PostedForm(_joined([*islice(_fields_of(content, DEEPEST_JSON), MOST_FIELDS)]))


def _fields_of(content: dict[str, Json], depth: int) -> Iterator[tuple[str, str]]:
    for name, value in content.items():
        if isinstance(value, dict):
            if "value" in value and not isinstance(value["value"], dict):
                yield from _fields_of({name: value["value"]}, 1)
            elif depth > 1:
                yield from _fields_of(value, depth - 1)
        elif isinstance(value, list):
            yield from ((name, text) for each in value if (text := id_text(each)) is not None)
            yield from (field for each in value if isinstance(each, dict) for field in _named_field(each))
        elif isinstance(value, bool | float):
            yield name, str(value).lower()
        elif value is not None:
            yield name, str(value)


def _named_field(field: dict[str, Json]) -> Iterator[tuple[str, str]]:
    """A field that says its own name beside its value, as form builders list them."""
    name = next((found for key in NAMES_OF_FIELDS if (found := id_text(field, key)) is not None), None)
    if name is not None and "value" in field and not isinstance(field["value"], dict):
        yield from _fields_of({name: field["value"]}, 1)


def _of_multipart(body: bytes, boundary: bytes) -> PostedForm | Refused:
    parts = body.split(b"--" + boundary)[1:] if boundary else []
    if not parts or len(parts) > MOST_FIELDS:
        return Refused("malformed_payload", "the parts of the form cannot be told apart - at `$`")
    pairs: list[tuple[str, str]] = []
    attachments: list[Attachment] = []
    for part in parts:
        if part.startswith(b"--"):
            break
        head, empty_line, content = part.partition(b"\r\n\r\n" if b"\r\n\r\n" in part else b"\n\n")
        if not empty_line:
            continue
        content = content.removesuffix(b"\n").removesuffix(b"\r")
        name, file_name, media_type = _described(head)
        if file_name is not None:
            if file_name or content:
                attachments.append(Attachment(name=file_name or None, media_type=media_type, size_bytes=len(content)))
        elif name is not None:
            pairs.append((name, content.decode()))
    return PostedForm(_joined(pairs), tuple(attachments))


def _described(head: bytes) -> tuple[str | None, str | None, str | None]:
    """Name, file name and media type by the headers of a part."""
    described = Message()
    for line in head[:LONGEST_HEAD].decode("utf-8", "replace").splitlines():
        header, colon, value = line.partition(":")
        if colon and header.strip().lower() in {"content-disposition", "content-type"}:
            described[header.strip()] = value.strip()
    field = described.get_param("name", header="content-disposition")
    media_type = described.get_content_type() if "content-type" in described else None
    return (field if isinstance(field, str) else None), described.get_filename(), media_type


def _joined(pairs: list[tuple[str, str]]) -> dict[str, str]:
    found: dict[str, str] = {}
    for name, value in pairs:
        if not found.get(name):
            found[name] = value
        elif value != found[name]:  # form builders say the same field twice, by itself and in a list
            found[name] = f"{found[name]}, {value}"
    return found
