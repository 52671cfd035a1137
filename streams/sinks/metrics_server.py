"""`/metrics` over HTTP, one server per process. Prometheus reads it; `deploy/prometheus/prometheus.yml` says where.

It is our own and not Faust's: Faust's web server listens on every address and shows more than numbers.
"""

import errno
import threading
from types import TracebackType
from typing import Self
from wsgiref.simple_server import WSGIServer

from prometheus_client import CollectorRegistry, disable_created_metrics, start_http_server

from streams.settings import split_address


class MetricsAddressError(RuntimeError):
    """The metrics cannot be served at the address; the message names the cause and the way out."""


class MetricsServer:
    """A running metrics server. `address` is the bound one, with the real port where 0 was asked for."""

    def __init__(self, server: WSGIServer, thread: threading.Thread) -> None:
        self._server = server
        self._thread = thread
        host, port = server.server_address[0], server.server_address[1]
        self.address = f"{host!s}:{port}"
        self.url = f"http://{self.address}/metrics"

    def close(self) -> None:
        """Stop serving and free the port."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def start_metrics_server(address: str, registry: CollectorRegistry) -> MetricsServer:
    """Serve a registry at `host:port` from a daemon thread.

    Raises:
        MetricsAddressError: the address cannot be read or is taken.
    """
    try:
        host, port = split_address(address)
    except ValueError as error:
        raise MetricsAddressError(f"{error}; write for example 127.0.0.1:9108 (port 0: any free one)") from None
    # In the text format they only add a second series to each.
    disable_created_metrics()  # type: ignore[no-untyped-call]
    try:
        server, thread = start_http_server(port, addr=host, registry=registry)
    except OverflowError:
        raise MetricsAddressError(f"{address}: a port is at most 65535") from None
    except OSError as error:
        cause = (
            "is in use by another process" if error.errno == errno.EADDRINUSE else f"cannot be used: {error.strerror}"
        )
        raise MetricsAddressError(
            f"the metrics address {address} {cause}; set CARELINE_METRICS_ADDRESS to a free one (port 0: any)"
        ) from None
    return MetricsServer(server, thread)
