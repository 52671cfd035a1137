"""What providers put into a message besides its author: a body in HTML or plain text, and files.

Help desks and messengers read both with it, whatever their names for a file's name, type and size. `plain_text` reduces
the HTML.
"""

from schemas.interaction import Attachment
from streams.connectors.payload_reading import Json, tables, text, whole_number
from streams.connectors.plain_text import looks_like_html, plain_text

NAMES = ("name", "filename", "file_name", "fileName", "fallback_title", "title")
MEDIA_TYPES = ("content_type", "mime_type", "mimeType", "contentType", "mediaType", "mimetype")
SIZES = ("size", "filesize", "file_size", "mediaSize")


def written_text(*bodies: Json) -> str | None:
    """What a person wrote: the first of the bodies that says anything, HTML reduced to its visible text."""
    for body in bodies:
        if isinstance(body, str) and body.strip():
            found = plain_text(body) if looks_like_html(body) else body.strip()
            if found:
                return found
    return None


def html_text(*bodies: Json) -> str | None:
    """The same of bodies that are HTML even where no tag shows it: their character references are undone."""
    written = (plain_text(body) for body in bodies if isinstance(body, str))
    return next((found for found in written if found), None)


def attachments_of(value: Json, *path: str) -> tuple[Attachment, ...]:
    """The files at a path, whatever the provider calls their name, media type and size in bytes."""
    return tuple(
        Attachment(
            name=next((found for key in NAMES if (found := text(file, key))), None),
            media_type=next((found for key in MEDIA_TYPES if (found := text(file, key))), None),
            size_bytes=next((size for key in SIZES if (size := whole_number(file, key)) is not None), None),
        )
        for file in tables(value, *path)
    )
