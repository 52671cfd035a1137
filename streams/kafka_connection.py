"""How every client of Careline reaches Kafka: the brokers, and what the connection is protected with.

There is no other way: a test forbids to construct a client without one of these. `kafka_knock` finds out whether the
brokers let us in.
"""

import logging
from dataclasses import dataclass, field
from typing import Any

from typing_extensions import override

from streams.kafka_security import KafkaSecurity


@dataclass(frozen=True, slots=True)
class KafkaConnection:
    """The brokers as `host:port` with commas, and the security. Its text is the brokers: it holds no secret."""

    servers: str
    security: KafkaSecurity = field(default_factory=KafkaSecurity)

    @override
    def __str__(self) -> str:
        return self.servers

    @property
    def addresses(self) -> list[str]:
        """Each `host:port`."""
        return [address.strip() for address in self.servers.split(",")]

    def for_kafka_python(self) -> dict[str, Any]:
        """Keyword arguments of kafka-python's clients.

        Raises:
            OSError: a file of certificates or keys cannot be read any more.
        """
        return {"bootstrap_servers": self.addresses, **self.for_one_broker()}

    def for_aiokafka(self) -> dict[str, Any]:
        """Keyword arguments of aiokafka's clients, which happen to be called the same.

        Raises:
            OSError: a file of certificates or keys cannot be read any more.
        """
        return {"bootstrap_servers": self.addresses, **self.for_one_broker()}

    def for_one_broker(self) -> dict[str, Any]:
        """Keyword arguments of a single connection of aiokafka's: how it is protected.

        Raises:
            OSError: a file of certificates or keys cannot be read any more.
        """
        security = self.security
        options: dict[str, Any] = {"security_protocol": security.protocol}
        if security.uses_tls:
            options["ssl_context"] = security.tls_context()
        if security.uses_sasl:
            _keep_passwords_out_of_logs()
            options |= {
                "sasl_mechanism": security.mechanism,
                "sasl_plain_username": security.user,
                "sasl_plain_password": security.password,
            }
        return options


def _keep_passwords_out_of_logs() -> None:
    """At DEBUG the libraries write down what they send to log in, and all they were made with."""
    for chatty in ("kafka.net.connection", "kafka.admin.client", "kafka.protocol.parser", "aiokafka.conn"):
        logger = logging.getLogger(chatty)
        if logger.isEnabledFor(logging.DEBUG):
            logger.setLevel(logging.INFO)
