"""One real broker behind TLS, passwords and access rules, with certificates made for it, some of them wrong.

Its listener `inside` is without any of it, for the test's own book-keeping: whoever comes that way may do everything.
What is tested comes through the others.
"""

import os
import re
import shutil
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple, Self

from kafka.admin import (
    ACL,
    ACLOperation,
    ACLPermissionType,
    ACLResourcePatternType,
    KafkaAdminClient,
    ResourcePattern,
    ResourceType,
    ScramMechanism,
    UserScramCredentialUpsertion,
)

from streams.embedded_kafka import SMALL, KafkaRuntime
from streams.embedded_kafka.broker_config import (
    BOOTSTRAP_CHECKPOINT,
    HOST,
    BrokerNode,
    meta_properties,
    new_kafka_id,
    server_properties,
)
from streams.embedded_kafka.broker_probe import answers_as, find_free_port
from streams.embedded_kafka.guarded_jvm import GuardedJvm, GuardSettings
from streams.embedded_kafka.launch_command import java_command
from tests.certificate_authority import CertificateAuthority, Identity

READY_SECONDS = 120.0
PASSWORD = "a password of the test"
PROCESSES = ("topics create", "policy publish", "connect", "work", "enrich", "sink", "doctor")
"""Each has a user of its own with the password; what it may do is the test's to say."""

RIGHTS_PAGE = Path(__file__).resolve().parents[2] / "docs" / "kafka-security.md"
_ROW = re.compile(r"\| `([a-z ]+)` \| (topic|group|transactional id) \| `([^`*]+)(\*?)` \| ([A-Z_, ]+) \|")
_RESOURCES = {
    "topic": ResourceType.TOPIC,
    "group": ResourceType.GROUP,
    "transactional id": ResourceType.TRANSACTIONAL_ID,
}


def user_of(process: str) -> str:
    """The user of a process."""
    return f"careline-{process.replace(' ', '-')}"


class Right(NamedTuple):
    """An access rule: what a user may do with a resource, or with all whose names begin so."""

    resource: ResourceType
    name: str
    operations: tuple[ACLOperation, ...]
    is_prefix: bool = False


def documented_rights(process: str, prefix: str) -> list[Right]:
    """What the table for operators grants a process, with a prefix before every name."""
    rows = [row.groups() for row in _ROW.finditer(RIGHTS_PAGE.read_text(encoding="utf-8")) if row[1] == process]
    assert rows, f"{RIGHTS_PAGE} says nothing about {process}"
    return [
        Right(
            _RESOURCES[kind],
            prefix + name,
            tuple(ACLOperation[operation] for operation in operations.split(", ")),
            bool(star),
        )
        for _, kind, name, star, operations in rows
    ]


class SecuredBroker:
    """A broker with five listeners: `inside`, `sasl`, `tls` (by client certificate), `expired` and `strange`."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._installation = KafkaRuntime.from_environment(os.environ, Path.home()).install(None)
        self._cluster_id = new_kafka_id()
        self._ports = {name: find_free_port() for name in ("inside", "sasl", "tls", "expired", "strange")}
        self._node = BrokerNode(1, self._ports["inside"], find_free_port())
        self.authority = CertificateAuthority(folder, "authority")
        self.other_authority = CertificateAuthority(folder, "other-authority")
        self._jvm: GuardedJvm | None = None
        self._granted: dict[str, set[tuple[Right, ACLOperation]]] = {}

    def address(self, listener: str) -> str:
        """`host:port` of a listener."""
        return f"{HOST}:{self._ports[listener]}"

    def __enter__(self) -> Self:
        data = self._folder / "data"
        data.mkdir()
        (data / "bootstrap.checkpoint").write_bytes(BOOTSTRAP_CHECKPOINT)
        (data / "meta.properties").write_text(meta_properties(self._cluster_id, 1))
        config = self._folder / "server.properties"
        config.write_text(server_properties(self._node, (self._node,), data) + self._security())
        command = java_command(self._installation, SMALL, config)
        self._jvm = GuardedJvm(command, self._folder, GuardSettings(grace=2.0))
        end = time.monotonic() + READY_SECONDS
        while not answers_as(self._node.port, self._cluster_id):
            if not self._jvm.running or time.monotonic() > end:
                raise AssertionError(f"the broker does not answer: {self._jvm.log_tail()}")
            time.sleep(0.1)
        self.let_in(*PROCESSES)
        return self

    def __exit__(self, *_: object) -> None:
        if self._jvm is not None:
            self._jvm.stop(10)
        shutil.rmtree(self._folder / "data", ignore_errors=True)

    def allow(self, process: str, rights: Iterable[Right]) -> None:
        """Give the user of a process exactly these rights; those that it has already are its own all the time."""
        wanted = {(right, operation) for right in rights for operation in right.operations}
        wanted = {(right._replace(operations=()), operation) for right, operation in wanted}
        had = self._granted.get(process, set())
        with self._admin() as admin:
            if wanted - had:
                admin.create_acls([_rule(user_of(process), *each) for each in wanted - had])
            if had - wanted:
                admin.delete_acls([_rule(user_of(process), *each) for each in had - wanted])
        self._granted[process] = wanted

    @contextmanager
    def _admin(self) -> Iterator[KafkaAdminClient]:
        admin = KafkaAdminClient(bootstrap_servers=[self.address("inside")])
        try:
            yield admin
        finally:
            admin.close()

    def let_in(self, *processes: str, password: str = PASSWORD) -> None:
        """Give the users of processes a password; another one than they know shuts them out."""
        users = map(user_of, processes)
        with self._admin() as admin:
            admin.alter_user_scram_credentials(
                [UserScramCredentialUpsertion(user, ScramMechanism.SCRAM_SHA_512, password) for user in users]
            )

    def _security(self) -> str:
        """What comes after the settings of any embedded broker; of two lines with one name Java takes the later."""
        protocols = {
            "inside": "PLAINTEXT",
            "sasl": "SASL_SSL",
            "tls": "SSL",
            "expired": "SASL_SSL",
            "strange": "SASL_SSL",
        }
        listeners = ",".join(f"{name.upper()}://{self.address(name)}" for name in protocols)
        kinds = ",".join(f"{name.upper()}:{protocol}" for name, protocol in protocols.items())
        issued: dict[str, Identity] = {
            "sasl": self.authority.issue("broker"),
            "tls": self.authority.issue("broker-tls"),
            "expired": self.authority.issue("broker-expired", days=-1),
            "strange": self.other_authority.issue("broker-strange"),
        }
        modules = "org.apache.kafka.common.security"
        settings = {
            "listeners": f"{listeners},CONTROLLER://{HOST}:{self._node.controller_port}",
            "advertised.listeners": listeners,
            "listener.security.protocol.map": f"{kinds},CONTROLLER:PLAINTEXT",
            "inter.broker.listener.name": "INSIDE",
            "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
            "super.users": "User:ANONYMOUS",
            "ssl.principal.mapping.rules": "RULE:^CN=(.*)$/$1/",
            "listener.name.tls.ssl.client.auth": "required",
        }
        for name, identity in issued.items():
            listener = f"listener.name.{name}"
            settings |= {
                f"{listener}.ssl.keystore.type": "PEM",
                f"{listener}.ssl.keystore.location": str(identity.both),
                f"{listener}.ssl.truststore.type": "PEM",
                f"{listener}.ssl.truststore.location": str(self.authority.certificate),
            }
            if name != "tls":
                users = " ".join(f'user_{user}="{PASSWORD}"' for user in map(user_of, PROCESSES))
                settings |= {
                    f"{listener}.sasl.enabled.mechanisms": "SCRAM-SHA-512,PLAIN",
                    f"{listener}.scram-sha-512.sasl.jaas.config": f"{modules}.scram.ScramLoginModule required;",
                    f"{listener}.plain.sasl.jaas.config": f"{modules}.plain.PlainLoginModule required {users};",
                }
        return "".join(f"{name}={value}\n" for name, value in settings.items())


def _rule(user: str, right: Right, operation: ACLOperation) -> ACL:
    kind = ACLResourcePatternType.PREFIXED if right.is_prefix else ACLResourcePatternType.LITERAL
    pattern = ResourcePattern(right.resource, right.name, kind)
    return ACL(f"User:{user}", "*", operation, ACLPermissionType.ALLOW, pattern)
