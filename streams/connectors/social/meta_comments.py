"""Public comments on Facebook pages and Instagram media: what one of an entry's `changes` means.

Source: Meta for Developers, "Webhooks reference: Page" (feed, mention) and "Instagram" (comments, live_comments,
mentions). A comment and its answers are one conversation, and so are a visitor's post and its comments.
`meta_channels` brings them here.
"""

from datetime import datetime
from typing import Any

from schemas.interaction import Attachment, Author, InteractionType
from streams.connectors.connector_contract import Draft, Ignored, Reading, Refused
from streams.connectors.drafting import Drafter
from streams.connectors.payload_reading import Json, id_text, instant, required, text, word

POSTS = frozenset({"post", "status", "photo", "video", "share", "link", "note", "album"})
KINDS: dict[str, InteractionType] = {
    "add": "message",
    "edit": "edited",
    "edited": "edited",
    "remove": "deleted",
    "delete": "deleted",
}
COMMENTS = frozenset({"feed", "comments", "live_comments"})
MENTIONS = frozenset({"mention", "mentions"})


def comment(drafter: Drafter, change: Json, page: str | None, sent_at: datetime | None) -> Reading:
    """What a change means that is about a comment, a post or a mention; `page` is whose feed it is.

    Raises:
        Malformed: nothing says which comment or post it is.
    """
    field, value = word(change, "field"), change.get("value")
    if field in MENTIONS:
        return [_mention(drafter, value, page, sent_at)]
    item = word(value, "item") or "comment"
    if item not in POSTS | {"comment"}:
        return [Ignored("without_effect")]
    verb = word(value, "verb") or "add"
    kind = KINDS.get(verb)
    if kind is None:
        known = verb in {"hide", "unhide", "follow", "unfollow", "block", "unblock", "update", "mute"}
        return [
            Ignored("without_effect") if known else Refused("not_understood", f"the verb {verb[:80]!r} is not known")
        ]
    person = id_text(value, "from", "id") or id_text(value, "sender_id")
    by_page = person is not None and person == page
    if by_page and item in POSTS:
        return [Ignored("own_post")]  # speaks to everybody and answers nobody
    post = id_text(value, "post_id")
    subject = post if item in POSTS else id_text(value, "comment_id") or id_text(value, "id")
    about = required(subject, "$.value.post_id" if item in POSTS else "$.value.id")
    parent = id_text(value, "parent_id")
    author = Author("agent", person) if by_page else drafter.author("customer", person)
    return [_event(drafter, kind, about, parent if parent not in {None, post} else about, author, value, page, sent_at)]


def _mention(drafter: Drafter, value: Json, page: str | None, sent_at: datetime | None) -> Draft:
    """Somebody names the page elsewhere. Instagram does not say who, nor what they wrote."""
    about = id_text(value, "comment_id") or id_text(value, "post_id") or id_text(value, "media_id")
    author = drafter.author("customer", id_text(value, "sender_id") or id_text(value, "from", "id"))
    thread = required(about, "$.value.post_id")
    return _event(drafter, "message", thread, thread, author, value, page, sent_at)


def _event(  # noqa: PLR0917 - what both have in common
    drafter: Drafter,
    kind: InteractionType,
    about: str,
    thread: str,
    author: Author,
    value: Json,
    page: str | None,
    sent_at: datetime | None,
) -> Draft:
    happened = instant(value, "created_time") if kind == "message" else sent_at or instant(value, "created_time")
    said: dict[str, Any] = {"text": text(value, "message") or text(value, "text")} if kind != "deleted" else {}
    if any(text(value, key) for key in ("photo", "video", "link")):
        said["attachments"] = (Attachment(media_type=word(value, "item")),)
    # A deletion is the same event in a higher version: it takes away the comment, not the conversation.
    return drafter.interaction(
        f"{about}:edited:{happened.timestamp() if happened else ''}" if kind == "edited" else about,
        kind,
        thread,
        happened or sent_at,
        author,
        identities=(f"meta_user:{author.id}",) if author.kind == "customer" and author.id else (),
        inbox=page,
        version=int(kind == "deleted"),
        raw_reference=drafter.reference("message", about),
        **said,
    )
