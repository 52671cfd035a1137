"""How a Faust app reaches Kafka: the same connection as every other client, in Faust's own words."""

from collections.abc import Mapping
from typing import Any

import faust

from streams.kafka_connection import KafkaConnection


def faust_options(kafka: KafkaConnection) -> Mapping[str, Any]:
    """Keyword arguments of a Faust app.

    Raises:
        OSError: a file of certificates or keys cannot be read any more.
    """
    security, context = kafka.security, kafka.security.tls_context()
    credentials: faust.SASLCredentials | faust.SSLCredentials | None = None
    if security.uses_sasl:
        credentials = faust.SASLCredentials(
            username=security.user,
            password=security.password,
            ssl_context=context,
            mechanism=security.mechanism,
        )
    elif context is not None:
        credentials = faust.SSLCredentials(context)
    return {"broker": [f"kafka://{address}" for address in kafka.addresses], "broker_credentials": credentials}
