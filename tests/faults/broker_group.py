"""One or three real brokers on this machine that a test may kill and start again."""

import os
import shutil
import signal
import time
from pathlib import Path
from typing import Self

from streams.embedded_kafka import SMALL, KafkaRuntime
from streams.embedded_kafka.broker_config import (
    BOOTSTRAP_CHECKPOINT,
    BrokerNode,
    meta_properties,
    new_kafka_id,
    server_properties,
)
from streams.embedded_kafka.broker_probe import answers_as, find_free_port
from streams.embedded_kafka.guarded_jvm import GuardedJvm, GuardSettings
from streams.embedded_kafka.launch_command import java_command

READY_SECONDS = 120.0


class BrokerGroup:
    """A cluster whose brokers are controllers too. Names of brokers are their numbers from 1."""

    def __init__(self, folder: Path, brokers: int) -> None:
        self._installation = KafkaRuntime.from_environment(os.environ, Path.home()).install(None)
        self._cluster_id = new_kafka_id()
        self.nodes = tuple(BrokerNode(number, find_free_port(), find_free_port()) for number in range(1, brokers + 1))
        self._folder = folder
        self._jvms: dict[int, GuardedJvm] = {}
        for node in self.nodes:
            self._prepare(node)

    @property
    def bootstrap(self) -> str:
        """All brokers, for clients."""
        return ",".join(node.bootstrap for node in self.nodes)

    def __enter__(self) -> Self:
        self.start(*[node.node_id for node in self.nodes])
        return self

    def __exit__(self, *_: object) -> None:
        for number in list(self._jvms):
            self.kill(number)
        for node in self.nodes:
            shutil.rmtree(self._folder / f"broker-{node.node_id}", ignore_errors=True)

    def advertise(self, number: int, port: int) -> None:
        """Let a broker tell its clients another port, that of a way to it; before it is started."""
        config = self._folder / f"broker-{number}" / "server.properties"
        told = f"advertised.listeners=PLAINTEXT://{self.nodes[number - 1].bootstrap}\n"
        other = f"advertised.listeners=PLAINTEXT://127.0.0.1:{port}\n"
        assert told in config.read_text()
        config.write_text(config.read_text().replace(told, other))

    def start(self, *numbers: int) -> None:
        """Start brokers together, each on its data, and wait until all answer: some may need the others for that."""
        for number in numbers:
            self._launch(self.nodes[number - 1])
        for number in numbers:
            self.wait_for(number)

    def stop(self, number: int) -> None:
        """End a broker in order."""
        self._jvms.pop(number).stop(30)

    def kill(self, number: int) -> None:
        """SIGKILL."""
        jvm = self._jvms.pop(number)
        pid = int((self._folder / f"broker-{number}" / "broker.pid").read_text())
        os.kill(pid, signal.SIGKILL)
        jvm.abandon()

    def wait_for(self, number: int) -> None:
        """Wait until a broker answers."""
        node, jvm = self.nodes[number - 1], self._jvms[number]
        end = time.monotonic() + READY_SECONDS
        while not answers_as(node.port, self._cluster_id):
            if not jvm.running or time.monotonic() > end:
                raise AssertionError(f"broker {number} does not answer: {jvm.log_tail()}")
            time.sleep(0.1)

    def _prepare(self, node: BrokerNode) -> None:
        data = self._folder / f"broker-{node.node_id}" / "data"
        data.mkdir(parents=True)
        (data / "bootstrap.checkpoint").write_bytes(BOOTSTRAP_CHECKPOINT)
        (data / "meta.properties").write_text(meta_properties(self._cluster_id, node.node_id))
        config = data.parent / "server.properties"
        config.write_text(server_properties(node, self.nodes, data))

    def _launch(self, node: BrokerNode) -> None:
        folder = self._folder / f"broker-{node.node_id}"
        command = java_command(self._installation, SMALL, folder / "server.properties")
        self._jvms[node.node_id] = GuardedJvm(command, folder, GuardSettings(grace=2.0))
