"""Messenger (id `messenger`) and Instagram (id `instagram`): direct messages and public comments.

Both are entries of a page or an account with `messaging`, `standby` or `changes`, and a page's webhook may tell of its
Instagram account too, so one normaliser reads either. `meta_webhooks` proves the sender, `meta_messaging` and
`meta_comments` say what is meant.
"""

from collections.abc import Iterator

from streams.connectors.connector_contract import (
    ConnectorKind,
    Draft,
    Ignored,
    Instance,
    Reading,
    Refused,
    WebhookRequest,
)
from streams.connectors.drafting import Drafter
from streams.connectors.payload_reading import (
    Json,
    at,
    id_text,
    instant,
    read_each,
    read_json,
    table,
    tables,
    text,
    word,
)
from streams.connectors.social.meta_comments import COMMENTS, MENTIONS, comment
from streams.connectors.social.meta_messaging import DirectMessage
from streams.connectors.social.meta_webhooks import meta_verifier, verify_token

OBJECTS = frozenset({"page", "instagram"})
OTHER_OBJECTS = frozenset({"user", "permissions", "application", "ad_account", "catalog", "threads"})

OTHER_SUBJECTS = frozenset(
    {
        "about",
        "affiliation",
        "ads_insights",
        "attire",
        "awards",
        "bio",
        "birthday",
        "category",
        "checkins",
        "company_overview",
        "conversations",
        "culinary_team",
        "current_location",
        "description",
        "email",
        "founded",
        "general_info",
        "hours",
        "invalid_topic_placeholder",
        "leadgen",
        "leadgen_fat",
        "live_videos",
        "location",
        "members",
        "merchant_review",
        "mission",
        "name",
        "page_about_story",
        "page_change_proposal",
        "page_upcoming_change",
        "parking",
        "payment_options",
        "phone",
        "picture",
        "price_range",
        "product_review",
        "products",
        "public_transit",
        "publisher_subscriptions",
        "ratings",
        "story_insights",
        "videos",
        "video_text_question_responses",
        "website",
    }
)
"""Fields of pages and accounts that are no conversation. A review (`ratings`) has no thread that could be answered."""


class MetaChannels:
    """Reads webhooks, also an entry or one of its items alone."""

    def __init__(self, instance: Instance) -> None:
        self._instance = instance

    def normalise(self, request: WebhookRequest) -> Reading:
        """What one request tells."""
        payload = read_json(request.body)
        if isinstance(payload, Refused):
            return [payload]
        about = word(payload, "object")
        if about in OTHER_OBJECTS:
            return [Ignored("other_subject")]
        if about is not None and about not in OBJECTS:
            return [Refused("not_understood", f"the object {about[:80]!r} is not known")]
        drafter = Drafter(self._instance, request, "social")
        readings: list[Draft | Ignored | Refused] = []
        for entry in _entries(payload):
            readings += _entry(drafter, entry)
        if not readings and about in OBJECTS and _is_empty(at(payload, "entry")):
            return [Ignored("nothing_inside")]
        return readings or [Refused("malformed_payload", "Object contains no entry that says anything - at `$.entry`")]


def _entries(payload: Json) -> Iterator[Json]:
    yield from tables(payload, "entry")
    if any(isinstance(at(payload, key), list) for key in ("messaging", "standby", "changes")):
        yield payload
    elif isinstance(at(payload, "sender"), dict) and isinstance(at(payload, "recipient"), dict):
        yield {"messaging": [payload]}
    elif text(payload, "field") and isinstance(at(payload, "value"), dict):
        yield {"changes": [payload]}


def _is_empty(entries: Json) -> bool:
    """Whether there are no entries, or only such that say that nothing happened."""
    lists = ("messaging", "standby", "changes")
    return isinstance(entries, list) and all(any(at(entry, key) == [] for key in lists) for entry in entries)


def _entry(drafter: Drafter, entry: Json) -> Reading:
    page, sent_at = id_text(entry, "id"), instant(entry, "time")
    # Of a thread that another app has in hand (`standby`), the customer is still ours.
    items = [*tables(entry, "messaging"), *tables(entry, "standby")]
    messages = read_each(items, lambda item: DirectMessage(drafter, item, page, sent_at).read())

    def changed(change: Json) -> Reading:
        field = word(change, "field") or ""
        if field in COMMENTS | MENTIONS:
            return comment(drafter, change, page, sent_at)
        if isinstance(at(change, "value", "sender"), dict):
            return DirectMessage(drafter, table(change, "value"), page, sent_at).read()
        if field in OTHER_SUBJECTS or field.startswith(("message", "messaging", "standby", "group_")):
            return [Ignored("other_subject")]
        return [Refused("not_understood", f"the field {field[:80]!r} is not known")]

    return [*messages, *read_each(tables(entry, "changes"), changed)]


MESSENGER = ConnectorKind(
    id="messenger",
    title="Messenger and comments on Facebook pages",
    normaliser=MetaChannels,
    verifier=meta_verifier,
    handshake=verify_token,
    setup=(
        "developers.facebook.com > your app > Messenger > Webhooks: callback URL https://<your host>/in/messenger,\n"
        "verify token: one of tokens; subscribe the page to messages, message_echoes, messaging_postbacks,\n"
        "message_reactions and feed. The secret is the app's secret. Ids of apps whose messages people write\n"
        "(a help desk's) belong under own_ids; what other apps send counts as a bot's."
    ),
)

INSTAGRAM = ConnectorKind(
    id="instagram",
    title="Instagram messages and comments",
    normaliser=MetaChannels,
    verifier=meta_verifier,
    handshake=verify_token,
    setup=(
        "developers.facebook.com > your app > Instagram > Webhooks: callback URL https://<your host>/in/instagram,\n"
        "verify token: one of tokens; subscribe to messages, messaging_postbacks, message_reactions, comments\n"
        "and mentions. The secret is the app's secret. Ids of apps whose messages people write belong under own_ids."
    ),
)
