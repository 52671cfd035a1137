"""What can be missing when Careline starts Kafka itself, each with its cause and the way out.

Raised by every module of this package; the command line prints them as they are, without a stack trace.
"""


class EmbeddedKafkaError(Exception):
    """Kafka could not be started on this machine.

    Args:
        cause: What is wrong, as a sentence without its full stop.
        way_out: What the reader can do about it, as a sentence without its full stop.
    """

    def __init__(self, cause: str, way_out: str) -> None:
        """Keep both parts, so that a caller may show them apart."""
        super().__init__(f"{cause}. {way_out}.")
        self.cause = cause
        self.way_out = way_out


class JarsUnavailableError(EmbeddedKafkaError):
    """Kafka's jars are neither cached nor to be had, or what arrives is not what was pinned."""


class JavaMissingError(EmbeddedKafkaError):
    """No Java 17 or newer on this machine."""


class NoSpaceError(EmbeddedKafkaError):
    """The disk is full, or the folder cannot be written."""


class PortTakenError(EmbeddedKafkaError):
    """Another program listens on a port that the broker was told to use."""


class FolderInUseError(EmbeddedKafkaError):
    """Another broker works in the same data folder."""


class BrokerStartError(EmbeddedKafkaError):
    """The broker ended, or did not answer in time; the end of its log is in the cause."""
