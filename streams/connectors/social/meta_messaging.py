"""Direct messages of Messenger and Instagram: what one item of `messaging` or `standby` means.

Source: Meta for Developers, "Messenger Platform: Webhook events" and "Instagram messaging: Webhooks". Page and person
are told apart by who receives; an echo is what the page's own side sent. The conversation is the two of them.
`meta_channels` brings them here.
"""

from datetime import datetime
from typing import Any

from schemas.interaction import Attachment, Author, InteractionType
from streams.connectors.connector_contract import Draft, Ignored, Reading, Refused
from streams.connectors.drafting import Drafter
from streams.connectors.payload_reading import (
    Json,
    flag,
    id_text,
    instant,
    number,
    required,
    table,
    tables,
    text,
    word,
)

INBOXES = frozenset({"263902037430900", "1217981644879628"})
"""The apps of Facebook's and Instagram's own inboxes: what they send, a person has written."""

WITHOUT_EFFECT = frozenset(
    {
        "account_linking",
        "app_roles",
        "game_play",
        "messaging_customer_information",
        "group_feed",
        "optin",
        "pass_metadata",
        "pass_thread_control",
        "policy_enforcement",
        "policy-enforcement",
        "pre_checkout",
        "checkout_update",
        "payment",
        "referral",
        "request_thread_control",
        "response_feedback",
        "seen",
        "take_thread_control",
    }
)
"""What else Messenger tells: consents, referrals, and who has the thread."""
RECEIPTS = {"delivery": "receipt", "read": "receipt", "typing": "typing"}


SCALES = {"csat": 5.0, "nps": 10.0, "ces": 7.0}
"""Of Messenger's feedback template."""


class DirectMessage:
    """One item: something that happened between a page and a person."""

    def __init__(self, drafter: Drafter, item: Json, page: str | None, sent_at: datetime | None) -> None:
        """`page` and `sent_at` are the entry's own, where there is one.

        Raises:
            Malformed: nobody is in it.
        """
        self._drafter, self._item = drafter, item
        sender, recipient = (id_text(item, side, "id") for side in ("sender", "recipient"))
        said = table(item, "message")
        self._echo = flag(said, "is_echo") is True or (sender is not None and sender == page)
        self._page = (sender if self._echo else recipient) or page
        person = (recipient if self._echo else sender) or id_text(item, "sender", "user_ref")
        self._person = required(person, "$.recipient.id" if self._echo else "$.sender.id")
        self._at = instant(item, "timestamp") or sent_at
        app = id_text(said, "app_id")
        by_app = app is not None and app not in INBOXES and not drafter.instance.is_own_id(app)
        self._automated = "bot" if self._echo and by_app else None
        if self._echo:
            self._author = Author("bot", app) if by_app else Author("agent", app or self._page)
        else:
            self._author = drafter.author("customer", self._person)

    def read(self) -> Reading:
        """What it means."""
        said = table(self._item, "message")
        if said:
            return [self._message(said)]
        edited, reaction, postback = (table(self._item, key) for key in ("message_edit", "reaction", "postback"))
        if edited:
            message_id = required(id_text(edited, "mid"), "$.message_edit.mid")
            which = f"{message_id}:edited:{number(edited, 'num_edit') or 0:.0f}"
            return [self._event(which, "edited", message_id, text=text(edited, "text"))]
        if reaction:
            return [self._reaction(reaction)]
        if postback:
            message_id = id_text(postback, "mid") or f"postback:{self._person}:{self._moment}"
            said_by_button = text(postback, "title") or text(postback, "payload")
            return [self._event(message_id, "message", message_id, text=said_by_button)]
        asked = [*tables(self._item, "messaging_feedback", "feedback_screens")]
        if asked:
            return [self._rating(*rated) for screen in asked for rated in table(screen, "questions").items()]
        return [self._nothing_said()]

    def _nothing_said(self) -> Ignored | Refused:
        seen = next((reason for key, reason in RECEIPTS.items() if key in self._item), None)
        if seen is not None or WITHOUT_EFFECT.intersection(self._item):
            return Ignored(seen or "without_effect")
        about = sorted(set(self._item) - {"sender", "recipient", "timestamp"})
        return Refused("not_understood", f"none of {about[:9]!r:.200} is known")

    def _reaction(self, reaction: Json) -> Draft | Ignored:
        message_id = required(id_text(reaction, "mid"), "$.reaction.mid")
        if word(reaction, "action") == "unreact":
            return Ignored("reaction_removed")
        emoji = text(reaction, "emoji") or text(reaction, "reaction")
        return self._event(f"{message_id}:reaction:{self._person}:{self._moment}", "reaction", message_id, text=emoji)

    def _rating(self, question: str, answer: Json) -> Draft | Ignored:
        """An answer to a feedback template, which is sent after a conversation."""
        kind, score = word(answer, "type") or "", number(answer, "payload")
        if kind not in SCALES or score is None:
            return Ignored("without_effect")
        return self._drafter.signal(
            f"feedback:{self._person}:{self._moment}:{question}",
            "survey",
            kind,
            score,
            self._at,
            identities=(f"meta_user:{self._person}",),
            conversation=self._thread,
            scale=SCALES[kind],
            text=text(answer, "follow_up", "payload"),
        )

    @property
    def _thread(self) -> str:
        return f"{self._page}:{self._person}" if self._page else self._person

    @property
    def _moment(self) -> str:
        return f"{self._at.timestamp():.3f}" if self._at is not None else "?"

    def _message(self, said: Json) -> Draft:
        named = id_text(said, "mid") or (f"message:{self._person}:{self._moment}" if self._at is not None else None)
        message_id = required(named, "$.message.mid")
        if flag(said, "is_deleted"):
            # The message's own id in a higher version takes away that message, not the conversation.
            return self._event(message_id, "deleted", message_id, version=1)
        attached = [*tables(said, "attachments")] or [*tables(said, "attachments", "data")]
        return self._event(
            message_id,
            "message",
            message_id,
            text=text(said, "text"),
            attachments=tuple(
                Attachment(name=text(each, "name"), media_type=word(each, "type") or text(each, "mime_type"))
                for each in attached
            ),
        )

    def _event(self, event_id: str, kind: InteractionType, message_id: str, **words: Any) -> Draft:  # noqa: ANN401 - contract fields
        return self._drafter.interaction(
            event_id,
            kind,
            self._thread,
            self._at,
            self._author,
            identities=(f"meta_user:{self._person}",),
            automated=self._automated,
            inbox=self._page,
            raw_reference=self._drafter.reference("message", message_id),
            **words,
        )
