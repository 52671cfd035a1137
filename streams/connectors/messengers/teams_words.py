"""Who wrote in Teams, for whose company, and what: the words that activities and Graph messages have in common.

`teams_activity` and `teams_graph` make a `Person` of what each says about the sender; here it becomes an author and the
identities that lead to an account.
"""

import re
from dataclasses import dataclass
from html import unescape
from typing import Self

from schemas.interaction import Attachment, Author
from streams.connectors.accounts_directory import identities_of_address
from streams.connectors.automated_words import Automated
from streams.connectors.connector_contract import Instance
from streams.connectors.payload_reading import Json, id_text, required, table, tables, text, word
from streams.connectors.plain_text import plain_text

BOT_PREFIX = "28:"
"""What the ids of bots begin with in Teams; people have `29:` or `8:orgid:`."""
BOT_ROLES = ("bot", "skill", "agentic")
"""Beginnings of the roles that are no people's: bots, skills, and agents with an identity of their own."""
GUEST_MARK = "#ext#"
"""In the user name of somebody from elsewhere whom a tenant has invited."""
TENANT_USERS = frozenset({"aaduser", "onpremiseaaduser"})
"""Graph's words for users of a tenant; guests, federated and anonymous ones have others."""
SHOWN_INLINE = frozenset({"text/html", "messagereference", "application/vnd.microsoft.card.codesnippet"})
"""Attachments that are a form of the text, a quotation, or code: nothing that was attached."""

_MENTION = re.compile(r"<at(?:\s[^<>]*)?>([^<]*)</at>", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Person:
    """Whoever stands behind an event.

    `tenant` is their own where that is said, `other_id` a second id of theirs, `machine` what they are if no person.
    """

    id: str
    other_id: str | None = None
    tenant: str | None = None
    guest: bool = False
    machine: Automated | None = None
    address: str | None = None

    @classmethod
    def of_account(cls, account: Json, place: str) -> Self:
        """The sender of an activity (a Bot Framework `ChannelAccount`).

        Raises:
            Malformed: it has no id.
        """
        channel_id, directory_id = id_text(account, "id"), id_text(account, "aadObjectId")
        role = word(account, "role") or word(account, "userRole") or ""
        user_name = word(account, "userPrincipalName") or word(account, "email") or ""
        guest = role in {"guest", "anonymous"} or GUEST_MARK in user_name
        is_bot = role.startswith(BOT_ROLES) or (channel_id or "").startswith(BOT_PREFIX)
        return cls(
            required(directory_id or channel_id, place),
            channel_id,
            id_text(account, "tenantId"),
            guest,
            "bot" if is_bot else None,
            user_name if "@" in user_name and not guest else None,
        )

    @classmethod
    def of_identities(cls, identities: Json, place: str) -> Self:
        """The sender of a chat message (a Graph `chatMessageFromIdentitySet`).

        Raises:
            Malformed: it names neither a user nor an application.
        """
        user, application = table(identities, "user"), table(identities, "application")
        user_id = id_text(user, "id")
        if user_id is None:
            return cls(required(id_text(application, "id"), place), machine="bot")
        kind = word(user, "userIdentityType")
        address = user_id if kind == "emailuser" and "@" in user_id else None
        guest = kind is not None and kind not in TENANT_USERS
        return cls(user_id, None, id_text(user, "tenantId"), guest, None, address)

    def author(self, instance: Instance, room_tenant: str | None) -> Author:
        """Customer, agent or bot. `room_tenant` is the tenant that the conversation belongs to.

        A tenant of our own makes its users agents, but not the guests in its rooms.
        """
        if self.machine is not None:
            return Author("bot", self.id)
        of_our_tenant = not self.guest and instance.is_own_id(self.tenant or room_tenant)
        of_our_domain = self.address is not None and instance.is_own_address(self.address)
        own = instance.is_own_id(self.id, self.other_id) or of_our_tenant or of_our_domain
        return Author("agent" if own else "customer", self.id)

    def identities(self, instance: Instance, room_tenant: str | None) -> tuple[str, ...]:
        """Whose company it is about: a customer's own tenant, else that of the conversation, but never ours."""
        is_customer = self.author(instance, room_tenant).kind == "customer"
        tenants = (self.tenant if is_customer else None, room_tenant)
        foreign = next((tenant for tenant in tenants if tenant and not instance.is_own_id(tenant)), None)
        found = (f"teams_tenant:{foreign}",) if foreign else ()
        if not is_customer:
            return found
        return (*found, *identities_of_address(self.address), f"teams_user:{self.id}")


def activity_text(activity: Json) -> str | None:
    """What was written in an activity, without the mention of the bot that it was written to."""
    said = text(activity, "text")
    if said is None:
        rich = (text(each, "content") for each in tables(activity, "attachments") if _media_type(each) == "text/html")
        said = next((html for html in rich if html), None)
        return _spoken_to(said, activity, rich=True) if said else None
    return _spoken_to(said, activity, rich=word(activity, "textFormat") in {"xml", "html"})


def _spoken_to(said: str, activity: Json, *, rich: bool) -> str | None:
    without = _MENTION.sub(lambda match: "" if _is_addressee(match[1], activity) else match[1], said)
    return (plain_text(without) if rich else unescape(without).replace("\u00a0", " ").strip()) or None


def _is_addressee(name: str, activity: Json) -> bool:
    """Whether a mentioned name is the one that receives the activity: it is how one speaks to it, not what one says."""
    recipient = id_text(activity, "recipient", "id")
    called = unescape(name).strip().lower()
    for entity in tables(activity, "entities"):
        if word(entity, "type") != "mention":
            continue
        written = word(entity, "text")
        names = {word(entity, "mentioned", "name"), unescape(_MENTION.sub(r"\1", written)) if written else None}
        # An outgoing webhook has no recipient: whoever is mentioned first is the webhook.
        if called in names and recipient in {None, id_text(entity, "mentioned", "id")}:
            return True
    return called == word(activity, "recipient", "name")


def message_text(message: Json) -> str | None:
    """What was written in a Graph chat message; a channel post may have nothing but a subject."""
    content = text(message, "body", "content")
    if content is not None and word(message, "body", "contentType") != "text":
        content = plain_text(content)
    return (content.strip() if content else None) or text(message, "subject")


def attachments_of(content: Json) -> tuple[Attachment, ...]:
    """The attachments of an activity or a chat message: their names and media types."""
    return tuple(
        Attachment(name=text(each, "name"), media_type=text(each, "contentType"))
        for each in tables(content, "attachments")
        if _media_type(each) not in SHOWN_INLINE
    )


def _media_type(attachment: Json) -> str:
    return word(attachment, "contentType") or ""
