"""kafka-python's producer, mended where it would fall silent for ever after Kafka was away.

A batch that was sent and never answered for may or may not be in the log. When it is given up, an idempotent producer
gives its id back, and must ask for a new one. kafka-python 3.0.12 gives it back and does not ask (Java's producer does
since KAFKA-7737): from then on nothing is sent, nothing expires and nothing is said. And where it asks, at its start,
an answer that does not come in time ends it for good. Whoever writes into Kafka for longer than a moment does it with
this producer; `tests/unit/test_renewing_producer.py` tells when kafka-python is mended, F5 what it is good for.
"""

from contextlib import suppress

from kafka import KafkaProducer
from kafka.errors import KafkaConnectionError, KafkaError, RequestTimedOutError
from kafka.producer.transaction_manager import (
    InitProducerIdHandler,
    TransactionManager,
    TransactionState,
    TxnRequestHandler,
)
from typing_extensions import override

GIVE_UP_WITHIN_SECONDS = 10.0


class RenewingProducer(KafkaProducer):  # type: ignore[misc]  # kafka-python has no types
    """Takes what `KafkaProducer` takes."""

    def __init__(self, **settings: object) -> None:
        super().__init__(**settings)
        if self._transaction_manager is not None:
            self._transaction_manager.__class__ = RenewingTransactionManager

    def give_up(self) -> None:
        """Close at once: what was not acknowledged fails, instead of being waited for."""
        self._sender.force_close()
        self._sender.join(GIVE_UP_WITHIN_SECONDS)
        with suppress(KafkaError):
            self.close(timeout=0)


class RenewingTransactionManager(TransactionManager):  # type: ignore[misc]
    """Asks for a new id once the old one is given back, and again when there is no answer."""

    @override
    def reset_producer_id(self) -> None:
        """Give the id back; the sender asks for another before it sends anything."""
        with self._lock:
            super().reset_producer_id()
            self._current_state = TransactionState.UNINITIALIZED

    @override
    def _enqueue_request(self, request_handler: TxnRequestHandler) -> None:
        if type(request_handler) is InitProducerIdHandler and not self.is_transactional():
            request_handler.__class__ = PatientIdRequest
        super()._enqueue_request(request_handler)


class PatientIdRequest(InitProducerIdHandler):  # type: ignore[misc]
    """Asking for an id has no effect that could be doubled, so it is asked again."""

    @override
    def on_complete(self, correlation_id: int, response_or_exc: object) -> None:
        """Take no answer for a lost connection."""
        is_late = isinstance(response_or_exc, RequestTimedOutError)
        super().on_complete(correlation_id, KafkaConnectionError(str(response_or_exc)) if is_late else response_or_exc)
