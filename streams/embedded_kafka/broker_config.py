"""What a broker is told: `server.properties`, and the two files that format its data folder.

Pure: texts and bytes from data. `broker_process` writes them. A cluster is a tuple of nodes, so three brokers on one
machine differ from one only in that tuple.
"""

import base64
import uuid
from dataclasses import dataclass
from pathlib import Path

HOST = "127.0.0.1"  # an embedded broker has no authentication, so it listens on loopback only

# What `kafka-storage format` writes for Kafka 4.3 (metadata.version 30, group 1, share 1, streams 1, transaction 2).
# Writing it ourselves saves a second JVM; without it the new consumer protocol stays switched off.
BOOTSTRAP_CHECKPOINT = base64.b64decode(
    "AAAAAAAAAAAAAABHAAAAAAIrsLsiACAAAAAAAAABogDdOKEAAAGiAN04of//////////////////AAAAASoAAAAIAAAAAxYAAAAA"
    "AAAAAAAAAAAAAAAAAAAAAQAAAPEAAAAAAnXm5qcAAAAAAAUAAAGiAN04+wAAAaIA3Tj7//////////////////8AAAAGOgAAAAEu"
    "AQwAEW1ldGFkYXRhLnZlcnNpb24AHgAAWgAAAgFOAQwAIWVsaWdpYmxlLmxlYWRlci5yZXBsaWNhcy52ZXJzaW9uAAEAADQAAAQB"
    "KAEMAA5ncm91cC52ZXJzaW9uAAEAADQAAAYBKAEMAA5zaGFyZS52ZXJzaW9uAAEAADgAAAgBLAEMABBzdHJlYW1zLnZlcnNpb24A"
    "AQAAQAAACgE0AQwAFHRyYW5zYWN0aW9uLnZlcnNpb24AAgAAAAAAAAAAAAcAAAA/AAAAAAK+LJtJACAAAAAAAAABogDdOQcAAAGi"
    "AN05B///////////////////AAAAARoAAAAIAAAABAYAAAAA"
)


@dataclass(frozen=True, slots=True)
class BrokerNode:
    """One broker, which is a controller too: its id, the port for clients and the port for its fellow controllers."""

    node_id: int
    port: int
    controller_port: int

    @property
    def bootstrap(self) -> str:
        """What a client is given: `host:port`."""
        return f"{HOST}:{self.port}"


@dataclass(frozen=True, slots=True)
class BrokerThreads:
    """How many threads serve requests; the smallest set suffices for a demonstration and for tests."""

    network: int = 1
    io: int = 2


def new_kafka_id() -> str:
    """A random id as Kafka writes them: a UUID in 22 URL-safe characters."""
    return base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")


def meta_properties(cluster_id: str, node_id: int) -> str:
    """The file that marks a data folder as formatted, for one node of one cluster."""
    return f"version=1\ncluster.id={cluster_id}\nnode.id={node_id}\ndirectory.id={new_kafka_id()}\n"


def cluster_id_of(meta: str) -> str | None:
    """The cluster id in the text of a `meta.properties`; null when it has none."""
    for line in meta.splitlines():
        name, _, value = line.partition("=")
        if name.strip() == "cluster.id" and value.strip():
            return value.strip()
    return None


def server_properties(
    node: BrokerNode, nodes: tuple[BrokerNode, ...], data: Path, threads: BrokerThreads | None = None
) -> str:
    """The configuration of `node` in the cluster of `nodes`, with its records in `data`.

    Topics are never made by accident and their time is decided per topic (see `streams.kafka_admin`).
    """
    used = threads or BrokerThreads()
    settings = {
        **_identity(node, nodes, data),
        **_replication(len(nodes)),
        **_quick_reactions(),
        "auto.create.topics.enable": "false",
        "num.network.threads": used.network,
        "num.io.threads": used.io,
        "background.threads": 1,
        "num.recovery.threads.per.data.dir": 1,
        # The cleaner's map defaults to 128 MB of heap; 4 MB hold 150,000 keys in one pass.
        "log.cleaner.dedupe.buffer.size": 4_194_304,
        "log.cleaner.io.buffer.size": 131_072,
    }
    return "".join(f"{name}={_escaped(str(value))}\n" for name, value in settings.items())


def _identity(node: BrokerNode, nodes: tuple[BrokerNode, ...], data: Path) -> dict[str, object]:
    return {
        "process.roles": "broker,controller",
        "node.id": node.node_id,
        "controller.quorum.voters": ",".join(f"{one.node_id}@{HOST}:{one.controller_port}" for one in nodes),
        "listeners": f"PLAINTEXT://{node.bootstrap},CONTROLLER://{HOST}:{node.controller_port}",
        "advertised.listeners": f"PLAINTEXT://{node.bootstrap}",
        "controller.listener.names": "CONTROLLER",
        "listener.security.protocol.map": "CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT",
        "inter.broker.listener.name": "PLAINTEXT",
        "log.dirs": data,
    }


def _replication(brokers: int) -> dict[str, object]:
    copies = min(3, brokers)
    in_sync = max(1, copies - 1)
    internal = ("offsets.topic", "transaction.state.log", "share.coordinator.state.topic")
    settings: dict[str, object] = {"default.replication.factor": copies, "min.insync.replicas": in_sync}
    for topic in internal:
        settings[f"{topic}.replication.factor"] = copies
        # One partition each: fifty of them cost more to open than all of our own topics.
        settings[f"{topic}.num.partitions"] = 1
    settings["transaction.state.log.min.isr"] = in_sync
    settings["share.coordinator.state.topic.min.isr"] = in_sync
    return settings


def _quick_reactions() -> dict[str, object]:
    """On one machine a lost process is noticed at once; the defaults allow for networks and data centres."""
    return {
        "group.initial.rebalance.delay.ms": 0,
        "group.min.session.timeout.ms": 1_000,
        "controller.quorum.election.timeout.ms": 200,
        "controller.quorum.election.backoff.max.ms": 100,
        # After a kill the old session has to end before the broker may come back.
        "broker.session.timeout.ms": 3_000,
        "broker.heartbeat.interval.ms": 500,
        # Transactions with a short time-out are aborted when it ends, not up to ten seconds later.
        "transaction.abort.timed.out.transaction.cleanup.interval.ms": 500,
    }


def _escaped(value: str) -> str:
    """Java's properties take a backslash for an escape."""
    return value.replace("\\", "\\\\")
