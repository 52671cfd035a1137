"""Notices that Kafka does not let a process in any more: a password that was changed, a certificate that has run out.

Client libraries take a refusal on the way back in for Kafka being away, and try for ever without a word that anybody
could act on. So the worker and the sink knock now and then from a thread beside them; who is still let in goes on.
"""

import threading
from collections.abc import Callable

from streams.kafka_connection import KafkaConnection
from streams.kafka_knock import knock
from streams.kafka_refusal import KafkaRefused

LOOK_EVERY_SECONDS = 10.0
_PATIENCE_SECONDS = 5.0


class AccessWatch:
    """Knocks every few seconds until it is stopped or refused; tells the refusal once, from its thread."""

    def __init__(
        self,
        kafka: KafkaConnection,
        on_refused: Callable[[KafkaRefused], object],
        every_seconds: float = LOOK_EVERY_SECONDS,
    ) -> None:
        self._kafka = kafka
        self._on_refused = on_refused
        self._every_seconds = every_seconds
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="careline-access-watch", daemon=True)

    def start(self) -> None:
        """Begin to look. Where nothing is protected there is nothing that could be taken away."""
        if self._kafka.security.protocol != "PLAINTEXT":
            self._thread.start()

    def stop(self) -> None:
        """Look no more."""
        self._stopped.set()

    def _watch(self) -> None:
        while not self._stopped.wait(self._every_seconds):
            try:
                knock(self._kafka, _PATIENCE_SECONDS)
            except KafkaRefused as refused:
                if not self._stopped.is_set():
                    self._on_refused(refused)
                return
