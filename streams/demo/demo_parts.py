"""What a demo consists of: its folder, its addresses, and for each program the command line and the environment.

Only loopback, only free ports. `demo_house` starts the parts.
"""

import base64
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import streams
from agents.domain.instant import Instant, to_datetime
from streams.embedded_kafka.broker_probe import find_free_port, is_free
from streams.settings import Settings, split_address
from streams.simulation.story import DEFAULT_START

HOST = "127.0.0.1"
CONNECTOR = "company"
SECRET_VARIABLE = "COMPANY_WEBHOOK_SECRET"  # noqa: S105 - the name of a variable
POLICY_FILE = Path(__file__).with_name("demo_policy.yaml")
PARTITIONS = 2
"""One for each of two workers. Every partition of every agent costs a transaction per tick, and the sink a batch a
second, so few is fast here."""
PROGRAM = ("-m", "streams")


@dataclass(frozen=True, slots=True, kw_only=True)
class DemoOptions:
    """What the user asked for.

    Attributes:
        seconds: How long after the first event the sources stop; null for never.
        data: A folder that keeps Kafka's and ClickHouse's data; null for a temporary one.
        kafka: A Kafka that runs already; null for one of our own.
        seed: Decides the story.
        scenario: What goes wrong in it.
        warp: Seconds of the story in one second here.
        rate: About so many events a second in working hours.
        workers: How many.
    """

    seconds: float | None = None
    data: Path | None = None
    kafka: str | None = None
    seed: int = 42
    scenario: str = "incident-hour"
    warp: float = 900.0
    rate: float = 400.0
    workers: int = 2

    @property
    def clock(self) -> str:
        """The clock that the story runs on."""
        return f"simulation:{self.seed}"


def _kafka_security(settings: Settings, variables: Mapping[str, str]) -> dict[str, str]:
    """How the user's own Kafka is protected, as it was told to this process; nothing of it for one of ours."""
    if settings.kafka_security_protocol == "PLAINTEXT":
        return {}
    told = {name: value for name, value in variables.items() if name.startswith("CARELINE_KAFKA_") and value.strip()}
    # The programs work in folders of their own.
    return {name: str(Path(value).absolute()) if name.endswith("_FILE") else value for name, value in told.items()}


def _address() -> str:
    return f"{HOST}:{find_free_port()}"


def _preferred(address: str) -> str:
    """The usual address, where `careline sql` asks by itself, or any free one while something else listens there."""
    host, port = split_address(address)
    return address if host == HOST and is_free(port) else _address()


@dataclass(slots=True)
class DemoParts:
    """The programs of one demo.

    Args:
        options: What was asked for.
        folder: Where everything is kept.
        settings: Of this process: where Kafka is, the prefix of the topics; for the children the rest is set here.
        variables: The environment of this process.
    """

    options: DemoOptions
    folder: Path
    settings: Settings
    variables: Mapping[str, str]
    connect_address: str = field(default_factory=_address)
    connect_metrics: str = field(default_factory=_address)
    sink_metrics: str = field(default_factory=_address)
    enrich_metrics: str = field(default_factory=_address)
    worker_metrics: tuple[str, ...] = field(init=False)
    _secret: str = field(init=False)

    def __post_init__(self) -> None:
        self.settings = replace(
            self.settings,
            partitions=max(PARTITIONS, self.options.workers),
            clickhouse_url="chdb://",
            data_dir=self.folder,
            sql_address=_preferred(self.settings.sql_address),
        )
        self.worker_metrics = tuple(_address() for _ in range(self.options.workers))
        self._secret = "whsec_" + base64.b64encode(secrets.token_bytes(32)).decode()

    @property
    def webhook_url(self) -> str:
        """Where the simulated company sends its events."""
        return f"http://{self.connect_address}/in/{CONNECTOR}"

    def write_connectors(self) -> Path:
        """Write the connectors.yaml of the simulated company; it names the variable with the secret, not the secret."""
        path = self.folder / "connectors.yaml"
        path.write_text(
            "connectors:\n"
            f"  {CONNECTOR}:\n"
            "    connector: webhook\n"
            f"    secrets: [{SECRET_VARIABLE}]\n"
            f"    clock: {self.options.clock}\n",
            encoding="utf-8",
        )
        return path

    def environment(self, metrics: str, *, with_secret: bool = False, instance: str | None = None) -> dict[str, str]:
        """The variables of one program: none of the user's own CARELINE_* may lead it into another house."""
        settings = self.settings
        own = {name: value for name, value in self.variables.items() if not name.startswith("CARELINE_")}
        own |= _kafka_security(settings, self.variables)
        roots = [str(Path(streams.__file__).parent.parent), own.get("PYTHONPATH", "")]
        own |= {
            "PYTHONPATH": ":".join(root for root in roots if root),
            "CARELINE_KAFKA": settings.kafka_servers,
            "CARELINE_TOPIC_PREFIX": settings.topic_prefix,
            "CARELINE_PARTITIONS": str(settings.partitions),
            "CARELINE_CLICKHOUSE": settings.clickhouse_url,
            "CARELINE_DATA_DIR": str(settings.data_dir.absolute()),
            "CARELINE_SQL_ADDRESS": settings.sql_address,
            "CARELINE_METRICS_ADDRESS": metrics,
            "CARELINE_LOG_LEVEL": settings.log_level,
        }
        if with_secret:
            own[SECRET_VARIABLE] = self._secret
        if instance is not None:
            own["CARELINE_INSTANCE_ID"] = instance
        return own

    def connect_command(self) -> list[str]:
        """Receives the webhooks."""
        return [*PROGRAM, "connect", "--config", str(self.write_connectors()), "--listen", self.connect_address]

    def work_command(self) -> list[str]:
        """Judges."""
        return [*PROGRAM, "work"]

    def enrich_command(self) -> list[str]:
        """Judges what customers write, by rules: a demo calls nobody."""
        return [*PROGRAM, "enrich"]

    def sink_command(self) -> list[str]:
        """Writes into ClickHouse and answers SQL."""
        return [*PROGRAM, "sink"]

    def simulate_command(self, starts_at: Instant = DEFAULT_START) -> list[str]:
        """Lives."""
        options = self.options
        command = [*PROGRAM, "simulate", "--json", "--url", self.webhook_url, "--secret-env", SECRET_VARIABLE]
        command += ["--seed", str(options.seed), "--scenario", options.scenario]
        command += ["--warp", str(options.warp), "--rate", str(options.rate)]
        command += ["--start", to_datetime(starts_at).strftime("%Y-%m-%dT%H:%M:%S%z")]
        if options.seconds is not None:
            command += ["--seconds", str(options.seconds)]
        return command
