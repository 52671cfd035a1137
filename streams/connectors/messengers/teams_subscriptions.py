"""Subscriptions of Microsoft Graph: made, renewed, made again; and the messages that their notifications point to.

Source: Microsoft Graph documentation, "Change notifications for Microsoft Teams resources", "Reduce missing change
notifications and removed subscriptions" (lifecycle notifications), "Create subscription".

Graph itself is the memory: which subscriptions there are is asked at every start, so several processes keep the same
ones. A notification is answered 2xx when its message is fetched and stored; until then it is Graph that keeps it, for
up to four hours. `teams_proof` has verified it before, `teams_channel` reads it afterwards.
"""

import asyncio
import hashlib
import logging
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from urllib.parse import quote

import aiohttp

from streams.connectors.connector_contract import Instance, Refused, WebhookRequest
from streams.connectors.messengers.teams_graph import LIFECYCLE, reason_without_message
from streams.connectors.messengers.teams_graph_api import GraphApi, graph_trouble
from streams.connectors.messengers.teams_proof import client_states, notifications_in
from streams.connectors.payload_reading import Json, Malformed, as_json, instant, read_json, table, tables, text, word
from streams.connectors.provider_api import provider_session
from streams.connectors.source_contract import Deliver, PullTrouble

log = logging.getLogger(__name__)

RESOURCES = "chats/getAllMessages teams/getAllMessages"
LIFETIME = timedelta(minutes=59)
"""Of a subscription to chat messages; Graph gives an hour at most."""
FETCHES_AT_ONCE = 8
COMPLETE_SECONDS = 20.0
"""For all messages that one request points to. Graph turns away after 3 seconds and comes again; what was stored by
then counts once."""
MISSED_PAUSE_SECONDS = 1.0
GONE = frozenset({404, 410})

_STEP = re.compile(r"(users|chats|teams|channels|messages|replies)\('([^'/?#\\]{1,300})'\)")


class GraphSubscriptions:
    """Keeps the subscriptions of one instance, and completes what comes of them."""

    def __init__(self, instance: Instance, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        """Take the app, and where Graph is to call.

        Raises:
            ValueError: something is missing; the message shows no secret.
        """
        self._api = GraphApi(instance)
        if instance.public_url is None:
            raise ValueError("public_url is missing: Graph has to be told where to call")
        self._state = client_states(instance)[0]
        self._base = f"{instance.public_url.rstrip('/')}/in/{instance.name}"
        # Graph does not show the clientState of a subscription; this tells whether it is still the present one.
        self._address = f"{self._base}?of={hashlib.sha256(self._state.encode()).hexdigest()[:12]}"
        wanted = instance.options.get("subscribe", RESOURCES).split()
        self._resources = {_path_of(each): each.strip("/") for each in wanted}
        self._now = now
        self._told: set[str] = set()
        self._woken = asyncio.Event()
        self._fetching = asyncio.Semaphore(FETCHES_AT_ONCE)

    async def run(self, position: str | None, deliver: Deliver) -> None:  # noqa: ARG002 - Graph calls, and Graph remembers
        """Keep the subscriptions until cancelled.

        Raises:
            PullTrouble: Graph refuses or is out of reach; or it has lost notifications, so that this is counted.
        """
        async with provider_session(self._api.url) as session:
            while True:
                there = await self._there(session)
                ends = [await self._kept(session, each, there.get(path)) for path, each in self._resources.items()]
                await self._wait((min(ends) - self._now()) / 2)

    async def complete(self, request: WebhookRequest) -> WebhookRequest:
        """Notifications with the messages that they point to; what they tell of the subscriptions is seen to.

        Raises:
            PullTrouble: a message cannot be fetched now.
        """
        content = read_json(request.body)
        notifications = [each for each in notifications_in(content) if isinstance(each, dict)]
        self._hear(notifications)
        paths = [message_path(each) for each in notifications]
        wanted = [path for path in dict.fromkeys(paths) if path is not None]
        if not wanted or isinstance(content, Refused):
            return request
        messages = await self._messages(wanted)
        for notification, path in zip(notifications, paths, strict=True):
            if path is not None and messages[path]:
                notification["resourceData"] = {**table(notification, "resourceData"), **messages[path]}
        try:
            return replace(request, body=as_json(content))
        except Malformed:  # nested too deeply to be written down: it goes on as it came
            return request

    async def _messages(self, paths: Sequence[str]) -> dict[str, Json]:
        try:
            async with asyncio.timeout(COMPLETE_SECONDS), provider_session(self._api.url) as session:
                found = await asyncio.gather(*(self._message(session, path) for path in paths), return_exceptions=True)
        except TimeoutError:
            raise PullTrouble("Microsoft Graph takes too long") from None
        troubles = [each for each in found if isinstance(each, BaseException)]
        for trouble in troubles:
            # One message that may not be read harms none of its neighbours; if none may, somebody has to see to it.
            if not isinstance(trouble, PullTrouble) or not trouble.hopeless or len(troubles) == len(found):
                raise trouble
            log.warning("A notification is left as it came: %s", trouble)
        return {path: {} if isinstance(each, BaseException) else each for path, each in zip(paths, found, strict=True)}

    async def _message(self, session: aiohttp.ClientSession, path: str) -> Json:
        """A chat message; empty where it is gone meanwhile."""
        async with self._fetching:
            answer = await self._api.call(session, "GET", path)
        if answer.status in GONE:
            return {}
        if answer.status != 200:
            raise PullTrouble(str(graph_trouble(answer, "show a message")), hopeless=True)
        return table(answer.content)

    def _hear(self, notifications: Iterable[Json]) -> None:
        told = {said for each in notifications if (said := word(each, "lifecycleEvent")) in LIFECYCLE}
        if told:
            log.info("Microsoft Graph says of a subscription: %s", ", ".join(sorted(told)))
            self._told |= told
            self._woken.set()

    async def _wait(self, span: timedelta) -> None:
        """Wait until it is time to renew, or until Graph has said something about the subscriptions.

        Raises:
            PullTrouble: it has said that it lost notifications.
        """
        try:
            async with asyncio.timeout(max(0.0, span.total_seconds())):
                await self._woken.wait()
        except TimeoutError:
            return
        told, self._told = self._told, set()
        self._woken.clear()
        if "missed" in told:
            lost = "Microsoft Graph has lost notifications: messages of the last minutes may be missing"
            raise PullTrouble(lost, retry_after_seconds=MISSED_PAUSE_SECONDS)

    async def _there(self, session: aiohttp.ClientSession) -> dict[str, str]:
        """The subscriptions of ours that there are, by the path they are to. Such as we no longer want are ended."""
        answer = await self._api.call(session, "GET", "/subscriptions")
        if answer.status != 200:
            raise graph_trouble(answer, "show the subscriptions")
        found: dict[str, str] = {}
        for each in tables(answer.content, "value"):
            address, subscription = text(each, "notificationUrl") or "", text(each, "id")
            if subscription is None or address.partition("?")[0] != self._base:
                continue
            path = _path_of(text(each, "resource") or "")
            if address == self._address and path in self._resources and path not in found:
                found[path] = subscription
            else:
                await self._api.call(session, "DELETE", f"/subscriptions/{quote(subscription, safe='')}")
        return found

    async def _kept(self, session: aiohttp.ClientSession, resource: str, subscription: str | None) -> datetime:
        """When the subscription to a resource ends, after it was renewed, which authorizes it again, or made."""
        until = (self._now() + LIFETIME).isoformat()
        if subscription is not None:
            path = f"/subscriptions/{quote(subscription, safe='')}"
            answer = await self._api.call(session, "PATCH", path, {"expirationDateTime": until})
            if answer.status == 200:
                return self._end_in(answer.content)
            if answer.status not in GONE:
                raise graph_trouble(answer, "renew a subscription")
        wanted = {
            "changeType": "created,updated,deleted",
            "notificationUrl": self._address,
            "lifecycleNotificationUrl": self._address,
            "resource": resource,
            "expirationDateTime": until,
            "clientState": self._state,
        }
        answer = await self._api.call(session, "POST", "/subscriptions", wanted)
        if answer.status != 201:
            raise graph_trouble(answer, f"subscribe to {resource}")
        log.info("Microsoft Graph: subscribed to %s", resource)
        return self._end_in(answer.content)

    def _end_in(self, content: Json) -> datetime:
        return instant(content, "expirationDateTime") or self._now() + LIFETIME


def _path_of(resource: str) -> str:
    """A resource as it is compared: Graph need not show the licence model, or the capitals that it was asked with."""
    return resource.partition("?")[0].strip("/").lower()


def message_path(notification: Json) -> str | None:
    """Where the message is that a notification points to, as a path of Graph; null where nothing is to be fetched.

    The payload names it; so it is taken apart and put together again, and leads to messages and nowhere else.
    """
    if word(notification, "changeType") is None or reason_without_message(notification) != "needs_fetch":
        return None
    steps = [_STEP.fullmatch(step) for step in (text(notification, "resource") or "").strip("/").split("/")]
    found = [step for step in steps if step is not None]
    if len(found) < len(steps) or found[-1][1] not in {"messages", "replies"}:
        return None
    return "".join(f"/{step[1]}/{quote(step[2], safe='')}" for step in found)


def subscriptions_of(instance: Instance) -> GraphSubscriptions | None:
    """What subscribes for an instance that names an app (`client_id`); for others somebody else has subscribed.

    Raises:
        ValueError: see `GraphSubscriptions`.
    """
    return GraphSubscriptions(instance) if instance.options.get("client_id") else None
