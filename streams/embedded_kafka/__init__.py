"""A real Apache Kafka, started by Careline itself, on a machine with nothing but Python.

`EmbeddedKafka` (`broker_process`) is the way in. It is for one machine: demonstrations, tests, a first look.
"""

from streams.embedded_kafka.aot_cache import ArchiveBuilder, build_archive
from streams.embedded_kafka.broker_process import EmbeddedKafka
from streams.embedded_kafka.embedded_errors import EmbeddedKafkaError
from streams.embedded_kafka.jar_store import FetchProgress
from streams.embedded_kafka.kafka_runtime import KafkaRuntime
from streams.embedded_kafka.launch_command import SMALL, THROUGHPUT, JvmProfile

__all__ = [
    "SMALL",
    "THROUGHPUT",
    "ArchiveBuilder",
    "EmbeddedKafka",
    "EmbeddedKafkaError",
    "FetchProgress",
    "JvmProfile",
    "KafkaRuntime",
    "build_archive",
]
