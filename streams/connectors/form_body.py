"""A webhook's body that may be a web form or JSON: telephone providers and Slack send either, and so do web forms."""

from urllib.parse import parse_qsl

from streams.connectors.connector_contract import Refused
from streams.connectors.payload_reading import Json, read_json

MOST_FIELDS = 1_000
"""Of a form. The largest webhook of the providers here has about sixty."""


def read_form_or_json(body: bytes) -> Json | Refused:
    """The fields of a form as an object, or the JSON value.

    A form has an equals sign and does not begin with a bracket.
    """
    if body.lstrip()[:1] in {b"{", b"["} or b"=" not in body:
        return read_json(body)
    try:
        return dict(form_fields(body))
    except UnicodeDecodeError as error:
        return Refused("not_utf8", str(error))
    except ValueError as error:
        return Refused("malformed_payload", f"{error} - at `$`")


def form_fields(body: bytes) -> list[tuple[str, str]]:
    """Names and values of a form, in order.

    Raises:
        ValueError: it is no text, or has more than `MOST_FIELDS`.
    """
    return parse_qsl(body.decode().strip("\r\n"), keep_blank_values=True, errors="strict", max_num_fields=MOST_FIELDS)
