"""Which parts of kafka-python's producer are mended, and that they need to be.

Where kafka-python's own class does as ours, it is mended, and `streams.renewing_producer` can go.
"""

import pytest
from kafka.errors import RequestTimedOutError
from kafka.producer.transaction_manager import ProducerIdAndEpoch, TransactionManager, TransactionState

from streams.renewing_producer import RenewingTransactionManager

KINDS = pytest.mark.parametrize(("kind", "is_ours"), [(RenewingTransactionManager, True), (TransactionManager, False)])


@KINDS
def test_an_id_that_was_given_back_is_asked_for_again(kind: type[TransactionManager], *, is_ours: bool) -> None:
    manager = kind()
    manager.init_producer_id()
    assert manager.next_request_handler(has_incomplete_batches=False) is not None
    manager.set_producer_id_and_epoch(ProducerIdAndEpoch(7, 0))
    manager._transition_to(TransactionState.READY)

    manager.reset_producer_id()
    manager.init_producer_id()  # the sender calls it in every round while there is no id

    assert (manager.next_request_handler(has_incomplete_batches=False) is not None) is is_ours


@KINDS
def test_an_id_that_nobody_gives_in_time_is_asked_for_again(kind: type[TransactionManager], *, is_ours: bool) -> None:
    manager = kind()
    manager.init_producer_id()
    request = manager.next_request_handler(has_incomplete_batches=False)

    request.on_complete(manager.next_in_flight_request_correlation_id(), RequestTimedOutError("after 5000 ms"))

    assert (manager.next_request_handler(has_incomplete_batches=False) is request) is is_ours
    assert manager.has_fatal_error() is not is_ours
