"""The directory of accounts in Kafka: read whole, written profile by profile, and the links that follow from it.

`careline accounts` works through it. Who is known from here on is every connect process's business
(`accounts_follower`); what was already counted for a provisional account is moved by a link, which every conversation
agent hears at the same place in its log.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime

from kafka import KafkaProducer

from agents.forgetting import digest_of
from schemas.account_profile import AccountProfile
from schemas.codec import ContractViolation, decode, encode, headers_of
from schemas.control import Control
from schemas.signal import Signal
from schemas.topics import ACCOUNTS, HEALTH, INTERACTIONS, SIGNALS
from streams.connectors.accounts_directory import provisional, tidy
from streams.control_broadcast import broadcast
from streams.kafka_connection import KafkaConnection
from streams.topic_reader import topic_reader

SOURCE = "careline/accounts"
WITHIN_SECONDS = 30.0

_NOBODY = AccountProfile(id="")


@dataclass(frozen=True, slots=True)
class AccountLink:
    """A provisional account turned out to be a known one."""

    account_id: str
    into: str


def known_profiles(kafka: KafkaConnection, topic_prefix: str) -> dict[str, AccountProfile]:
    """Every account in the directory, by id.

    Raises:
        KafkaUnavailable: no broker answers.
        TopicAbsent: the topics have not been created.
    """
    found: dict[str, AccountProfile] = {}
    with topic_reader(kafka) as reader:
        for record in reader.records(topic_prefix + ACCOUNTS.name):
            account_id = (record.key or b"").decode("utf-8", "replace")
            if record.value is None:
                found.pop(account_id, None)
                continue
            try:
                found[account_id] = decode(AccountProfile, record.value)
            except ContractViolation:
                continue
    return found


def counted_accounts(kafka: KafkaConnection, topic_prefix: str) -> set[str]:
    """The ids of all accounts of which something was counted: they have a health record.

    Raises:
        KafkaUnavailable: no broker answers.
        TopicAbsent: the topics have not been created.
    """
    with topic_reader(kafka) as reader:
        keys = {
            record.key: record.value is not None for record in reader.records(topic_prefix + HEALTH.name) if record.key
        }
    return {key.decode("utf-8", "replace") for key, lives in keys.items() if lives}


def links_that_follow(profiles: Iterable[AccountProfile], counted: set[str]) -> list[AccountLink]:
    """Which of the provisional accounts of which something was counted belong to these profiles."""
    links = []
    for profile in profiles:
        for identity in profile.identities:
            before = provisional([tidy(identity)]).account_id
            if before and before != profile.id and before in counted:
                links.append(AccountLink(before, profile.id))
    return links


def changed_profiles(profiles: Sequence[AccountProfile], known: Mapping[str, AccountProfile]) -> list[AccountProfile]:
    """Those that the directory does not have just so already."""
    return [profile for profile in profiles if known.get(profile.id) != profile]


def changed_families(changed: Sequence[AccountProfile], known: Mapping[str, AccountProfile]) -> list[AccountProfile]:
    """Whoever gets a parent, another one, or none any more; and parents that are new as such, or as accounts.

    A parent may have no events of its own, and only these would say of what tier and segment it is.
    """
    coming = {**known, **{profile.id: profile for profile in changed}}
    parents_before = {profile.parent for profile in known.values()}
    parents = {profile.parent for profile in coming.values()}
    moved = {profile.id for profile in changed if profile.parent != (known.get(profile.id) or _NOBODY).parent}
    renewed = {profile.id for profile in changed if profile.id in parents}
    told = moved | renewed | (parents - parents_before)
    return [profile for profile in coming.values() if profile.id in told]


def circle_of_parents(profiles: Mapping[str, AccountProfile]) -> list[str]:
    """The ids of a circle that parents make, from the first of them on; empty where there is none."""
    whole: set[str] = set()
    for first in sorted(profiles):
        line: list[str] = []
        account: str | None = first
        while account is not None and account not in whole:
            if account in line:
                return line[line.index(account) :]
            line.append(account)
            account = profiles[account].parent if account in profiles else None
        whole.update(line)
    return []


def claimed_elsewhere(
    profiles: Iterable[AccountProfile], known: Mapping[str, AccountProfile]
) -> Iterator[tuple[str, str, str]]:
    """Identity, its owner of now, and who claims it: moving one is a decision and no accident."""
    coming = {profile.id: profile for profile in profiles}
    owners = {tidy(each): owner.id for owner in known.values() if owner.id not in coming for each in owner.identities}
    for profile in coming.values():
        for identity in profile.identities:
            if identity in owners:
                yield identity, owners[identity], profile.id


class AccountsWriter:
    """Writes into the directory. Everything it returns from is acknowledged."""

    def __init__(self, producer: KafkaProducer, topic_prefix: str, now: datetime) -> None:
        self._producer = producer
        self._prefix = topic_prefix
        self._now = now

    def put(self, profile: AccountProfile) -> None:
        """Add or replace an account; `flush` waits for it."""
        headers = headers_of(profile, SOURCE, profile.id, self._now)
        self._producer.send(
            self._prefix + ACCOUNTS.name, key=profile.id.encode(), value=encode(profile), headers=headers
        )

    def tell_parent(self, profile: AccountProfile) -> None:
        """Tell an account who its parent is now, if anybody; `flush` waits for it."""
        signal = Signal(
            id=f"parent/{profile.id}/{self._now.isoformat()}",
            source=SOURCE,
            account_id=profile.id,
            occurred_at=self._now,
            kind="parent",
            name="parent",
            text=profile.parent,
            tier=profile.tier,
            segment=profile.segment,
        )
        headers = headers_of(signal, SOURCE, signal.id, self._now)
        key = profile.id.encode()
        self._producer.send(self._prefix + SIGNALS.name, key=key, value=encode(signal), headers=headers)

    def drop(self, account_id: str) -> None:
        """Take an account out of the directory; `flush` waits for it."""
        self._producer.send(self._prefix + ACCOUNTS.name, key=account_id.encode(), value=None)

    def flush(self) -> None:
        """Wait until Kafka has everything.

        Raises:
            KafkaError: it does not take it.
        """
        self._producer.flush(timeout=WITHIN_SECONDS)

    def link(self, link: AccountLink) -> None:
        """Tell every conversation agent that an account turned out to be another.

        Raises:
            KafkaError: Kafka does not take it.
        """
        control = Control(
            id=f"link/{link.account_id}/{link.into}",
            kind="account_linked",
            as_of=self._now,
            account_id=link.account_id,
            into=link.into,
        )
        broadcast(self._producer, self._prefix + INTERACTIONS.name, control, SOURCE, WITHIN_SECONDS)

    def forget(self, names: Sequence[str]) -> None:
        """Tell every conversation agent to forget an account, named first, and what else it was known as.

        Raises:
            KafkaError: Kafka does not take it everywhere; say it again then.
        """
        control = Control(
            id=f"forget/{digest_of(names[0])}/{self._now.isoformat()}",
            kind="account_forgotten",
            as_of=self._now,
            account_id=names[0],
            also_known_as=tuple(names[1:]),
        )
        broadcast(self._producer, self._prefix + INTERACTIONS.name, control, SOURCE, WITHIN_SECONDS)


@contextmanager
def accounts_writer(kafka: KafkaConnection, topic_prefix: str, now: datetime) -> Iterator[AccountsWriter]:
    """A writer for as long as the block lasts.

    Raises:
        KafkaError: no broker answers.
    """
    producer = KafkaProducer(
        **kafka.for_kafka_python(),
        client_id="careline-accounts",
        acks="all",
        enable_idempotence=True,
        max_block_ms=int(WITHIN_SECONDS * 1000),
        allow_auto_create_topics=False,
    )
    try:
        yield AccountsWriter(producer, topic_prefix, now)
        producer.flush(timeout=WITHIN_SECONDS)
    finally:
        producer.close(timeout=5)
