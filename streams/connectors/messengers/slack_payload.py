"""What Slack sends, in any of its wrappings, and its words: events, subtypes, interactive payloads.

Sources: Slack developer documentation, "Events API", "message event" with its subtypes, "Using Socket Mode",
"Handling user interaction", "Slash commands", and the legacy "Outgoing webhooks". `slack_delivery` has one event next.
"""

import re

from schemas.interaction import Attachment
from streams.connectors.connector_contract import Refused, WebhookRequest
from streams.connectors.form_body import read_form_or_json
from streams.connectors.message_content import attachments_of
from streams.connectors.payload_reading import Json, at, read_json, tables, text

BY_PERSONS_AND_APPS = frozenset({"bot_message", "file_share", "me_message", "slackbot_response", "thread_broadcast"})
"""Subtypes of what somebody wrote; without a subtype it is a plain message."""

LINES_OF_SLACK = frozenset(
    {
        "app_conversation_join",
        "app_conversation_leave",
        "assistant_app_thread",
        "bot_add",
        "bot_disable",
        "bot_enable",
        "bot_remove",
        "channel_archive",
        "channel_canvas_updated",
        "channel_convert_to_private",
        "channel_convert_to_public",
        "channel_name",
        "channel_posting_permissions",
        "channel_purpose",
        "channel_topic",
        "channel_unarchive",
        "document_mention",
        "ekm_access_denied",
        "file_comment",
        "file_mention",
        "group_archive",
        "group_name",
        "group_purpose",
        "group_topic",
        "group_unarchive",
        "huddle_thread",
        "joiner_notification",
        "joiner_notification_for_inviter",
        "message_replied",
        "pinned_item",
        "reminder_add",
        "reply_broadcast",
        "sh_room_created",
        "share_shortcut",
        "tabbed_canvas_updated",
        "tombstone",
        "unpinned_item",
    }
)
"""Subtypes of what Slack itself says in a channel; `reply_broadcast` and `message_replied` repeat what was told."""

COME_AND_GO = frozenset({"channel_join", "channel_leave", "group_join", "group_leave"})
"""Subtypes that say who came into a channel and who left it."""

OTHER_SUBJECTS = frozenset(
    {
        "accounts",
        "app",
        "apps",
        "assistant",
        "bot",
        "call",
        "channel",
        "commands",
        "desktop",
        "dnd",
        "email",
        "emoji",
        "entity",
        "external",
        "file",
        "function",
        "grid",
        "group",
        "im",
        "invite",
        "link",
        "manual",
        "message",
        "mpim",
        "pin",
        "pref",
        "presence",
        "reaction",
        "reconnect",
        "resources",
        "scope",
        "sh",
        "shared",
        "star",
        "subteam",
        "team",
        "thread",
        "tokens",
        "user",
        "workflow",
    }
)
"""First words of the events that move no promise of ours: `team_join`, `pin_added`, `message_metadata_posted`,
`reaction_removed` ..."""

INTERACTIVE = frozenset(
    {
        "block_actions",
        "block_suggestion",
        "dialog_cancellation",
        "dialog_submission",
        "dialog_suggestion",
        "interactive_message",
        "message_action",
        "shortcut",
        "view_closed",
        "view_submission",
        "workflow_step_edit",
    }
)
"""Payloads of buttons, menus, shortcuts and modals."""

OF_THE_CONNECTION = frozenset({"disconnect", "goodbye", "hello"})
"""What Socket Mode says about itself."""

MOST_PIECES = 1_000
"""Pieces of text that are read of one block; Slack allows a few thousand characters in it."""

_FORM = re.compile(rb"[A-Za-z_]+=")
"""How a form begins, and no JSON."""

_ESCAPED = (("&lt;", "<"), ("&gt;", ">"), ("&amp;", "&"))
"""The three characters that Slack escapes in texts; the ampersand last, so that nothing is undone twice."""


def read_body(request: WebhookRequest) -> Json | Refused:
    """The payload of a request: JSON, JSON inside a form, or the fields of a form."""
    if not is_form(request):
        return read_json(request.body)
    fields = read_form_or_json(request.body)
    inside = text(fields, "payload")
    return fields if inside is None else read_json(inside.encode("utf-8", "replace"))


def is_form(request: WebhookRequest) -> bool:
    """Whether a request is a form: a slash command, an interactive payload, a check of the certificate."""
    return _FORM.match(request.body) is not None


def text_of(message: Json) -> str | None:
    """What was written, in Slack's own markup, with its escapes undone.

    Apps may say everything in blocks or attachments, and a person may pass on a message without a word.
    """
    written = text(message, "text") or _in_blocks(message) or _attached(message)
    for escaped, plain in _ESCAPED if written else ():
        written = written.replace(escaped, plain) if written else written
    return written


def _in_blocks(message: Json) -> str | None:
    """The texts of a message's blocks, a line for each block; the style of a piece makes no difference."""
    lines: list[str] = []
    for block in tables(message, "blocks"):
        pieces: list[str] = []
        waiting = [block]
        while waiting and len(pieces) < MOST_PIECES:
            each = waiting.pop()
            inside = [each.get(key) for key in ("text", "elements", "fields")]
            pieces += [piece for piece in inside if isinstance(piece, str)]
            within = [part for piece in inside for part in (piece if isinstance(piece, list) else [piece])]
            waiting += [part for part in reversed(within) if isinstance(part, dict)]
        lines.append("".join(pieces))
    return "\n".join(line for line in lines if line.strip()) or None


def _attached(message: Json) -> str | None:
    said = (text(each, "text") or text(each, "fallback") for each in tables(message, "attachments"))
    return "\n".join(each for each in said if each) or None


def files_of(message: Json) -> tuple[Attachment, ...]:
    """The files of a message; until 2018 it had but one."""
    return attachments_of(message, "files") or attachments_of({"files": [at(message, "file")]}, "files")
