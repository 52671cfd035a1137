"""Every setting of the program.

Its variable, meaning, default and the reason for it. The only reader of the environment.

`careline --help` and `docs/settings.md` are made from the fields below; commands receive a `Settings` and pass on what
is needed.
"""

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any, Self, get_type_hints

from streams.fault_points import check_fault
from streams.kafka_connection import KafkaConnection
from streams.kafka_security import MECHANISMS, PROTOCOLS, KafkaSecurity

TRUE_WORDS = frozenset({"1", "true", "yes", "on"})
FALSE_WORDS = frozenset({"0", "false", "no", "off", ""})


class SettingsMistake(ValueError):  # noqa: N818 - the user's mistake, in the user's words
    """One or more variables cannot be understood. `problems` has a sentence for each."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("; ".join(problems))
        self.problems = problems


LOG_LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR")


def _setting(
    default: Any, variable: str, meaning: str, *, secret: bool = False, check: Callable[[Any], Any] | None = None
) -> Any:
    """A field with its variable. `check` takes the value as read and gives the one to keep, or raises ValueError.

    What is secret is in no `repr`.
    """
    told = {"variable": variable, "meaning": meaning, "secret": secret, "check": check}
    return field(default=default, metadata=told, repr=not secret)


def _one_or_more(value: int) -> int:
    if value < 1:
        raise ValueError(f"{value} is less than 1")
    return value


def _not_less(value: int) -> int:
    if value < 0:
        raise ValueError(f"{value} is less than 0")
    return value


def _some_seconds(value: float) -> float:
    if not 0 < value < float("inf"):
        raise ValueError(f"{value} is no length of time")
    return value


def _ratio(value: float) -> float:
    if not 0 < value <= 1:
        raise ValueError(f"{value} is not a share above 0 and up to 1")
    return value


def _one_of(*words: str) -> Callable[[str], str]:
    def check(text: str) -> str:
        if text.strip().upper() not in words:
            raise ValueError(f"{text!r} is none of {', '.join(words)}")
        return text.strip().upper()

    return check


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """The settings of one process. Nothing here changes after the start."""

    kafka_servers: str = _setting("127.0.0.1:9092", "CARELINE_KAFKA", "Kafka brokers as host:port, separated by commas")
    kafka_security_protocol: str = _setting(
        "PLAINTEXT",
        "CARELINE_KAFKA_SECURITY_PROTOCOL",
        "How brokers are spoken to: PLAINTEXT, SSL (TLS), SASL_PLAINTEXT (a user) or SASL_SSL (both); nothing else "
        "is tried",
        check=_one_of(*PROTOCOLS),
    )
    kafka_ca_file: Path | None = _setting(
        None,
        "CARELINE_KAFKA_CA_FILE",
        "PEM file of who signs the brokers' certificates; without it, whom the system trusts",
    )
    kafka_certificate_file: Path | None = _setting(
        None, "CARELINE_KAFKA_CERTIFICATE_FILE", "PEM file with a certificate of our own, where brokers ask for one"
    )
    kafka_key_file: Path | None = _setting(None, "CARELINE_KAFKA_KEY_FILE", "PEM file with the key of that certificate")
    kafka_key_password: str | None = _setting(
        None, "CARELINE_KAFKA_KEY_PASSWORD", "What opens the key, if it is encrypted", secret=True
    )
    kafka_key_password_file: Path | None = _setting(
        None, "CARELINE_KAFKA_KEY_PASSWORD_FILE", "A file that holds it, instead"
    )
    kafka_sasl_mechanism: str | None = _setting(
        None,
        "CARELINE_KAFKA_SASL_MECHANISM",
        "How the user proves who it is: PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512",
        check=_one_of(*MECHANISMS),
    )
    kafka_user: str | None = _setting(None, "CARELINE_KAFKA_USER", "The user that brokers know this process by")
    kafka_password: str | None = _setting(None, "CARELINE_KAFKA_PASSWORD", "Its password", secret=True)
    kafka_password_file: Path | None = _setting(
        None, "CARELINE_KAFKA_PASSWORD_FILE", "A file that holds it, instead, such as a mounted secret"
    )
    topic_prefix: str = _setting(
        "", "CARELINE_TOPIC_PREFIX", "Put before every topic and group name, for several installations on one cluster"
    )
    partitions: int = _setting(
        8,
        "CARELINE_PARTITIONS",
        "Partitions of new topics: the most workers that can share the load; cannot change later",
        check=_one_or_more,
    )
    replication_factor: int = _setting(
        1,
        "CARELINE_REPLICATION_FACTOR",
        "Copies of new topics; 3 in production, 1 where there is one broker",
        check=_one_or_more,
    )
    group: str = _setting("careline", "CARELINE_GROUP", "Name of the consumer group that the workers share")
    instance_id: str | None = _setting(
        None,
        "CARELINE_INSTANCE_ID",
        "Lasting name of this worker: a restart within the session time-out moves no partition",
    )
    session_timeout_seconds: float = _setting(
        20.0,
        "CARELINE_SESSION_TIMEOUT_SECONDS",
        "After this long without a sign of life a worker's partitions move on",
        check=_some_seconds,
    )
    clickhouse_url: str = _setting(
        "chdb://",
        "CARELINE_CLICKHOUSE",
        "http(s)://user:password@host:port/database, or chdb:// for the engine inside the sink",
        secret=True,
    )
    data_dir: Path = _setting(
        Path("careline-data"), "CARELINE_DATA_DIR", "Where embedded Kafka and ClickHouse keep data"
    )
    metrics_address: str = _setting(
        "127.0.0.1:9108", "CARELINE_METRICS_ADDRESS", "Where /metrics listens; port 0 takes any free one"
    )
    connect_address: str = _setting("127.0.0.1:8080", "CARELINE_CONNECT_ADDRESS", "Where webhooks are received")
    sql_address: str = _setting(
        "127.0.0.1:8124", "CARELINE_SQL_ADDRESS", "Where the sink answers read-only SQL while the engine is embedded"
    )
    connectors_file: Path | None = _setting(
        None, "CARELINE_CONNECTORS", "The connectors.yaml that says what is connected"
    )
    policies_file: Path | None = _setting(
        None, "CARELINE_POLICIES", "A policy file to publish on start when it differs"
    )
    health_file: Path | None = _setting(
        None, "CARELINE_HEALTH", "A file of health profiles to publish on start when it differs"
    )
    issues_file: Path | None = _setting(
        None, "CARELINE_ISSUES", "A file of issue rules to publish on start when it differs"
    )
    webhook_secret: str | None = _setting(
        None,
        "CARELINE_WEBHOOK_SECRET",
        "Secret (whsec_...) of the generic webhook where no connectors.yaml is given",
        secret=True,
    )
    log_level: str = _setting("INFO", "CARELINE_LOG_LEVEL", "DEBUG, INFO, WARNING or ERROR", check=_one_of(*LOG_LEVELS))
    rejected_limit_ratio: float = _setting(
        0.5,
        "CARELINE_REJECTED_LIMIT_RATIO",
        "A worker stops when more than this share of its last 1,000 records is rejected: a bad deployment, "
        "not bad data",
        check=_ratio,
    )

    model_url: str | None = _setting(
        None,
        "CARELINE_MODEL_URL",
        "An OpenAI-compatible endpoint that `careline enrich` asks how messages feel, for example "
        "http://127.0.0.1:8000/v1; without one it judges by rules, offline",
    )
    model: str | None = _setting(None, "CARELINE_MODEL", "The name of the model at that endpoint")
    model_key: str | None = _setting(None, "CARELINE_MODEL_KEY", "The key for that endpoint", secret=True)
    model_key_file: Path | None = _setting(None, "CARELINE_MODEL_KEY_FILE", "A file that holds it, instead")
    model_timeout_seconds: float = _setting(
        20.0,
        "CARELINE_MODEL_TIMEOUT_SECONDS",
        "How long one call may take; then the rules judge",
        check=_some_seconds,
    )
    model_batch: int = _setting(20, "CARELINE_MODEL_BATCH", "Messages in one call", check=_one_or_more)
    model_calls_per_day: int = _setting(
        2_000, "CARELINE_MODEL_CALLS_PER_DAY", "Calls a UTC day of each process; then the rules judge", check=_not_less
    )
    model_tokens_per_day: int = _setting(
        2_000_000,
        "CARELINE_MODEL_TOKENS_PER_DAY",
        "Tokens a UTC day of each process; then the rules judge",
        check=_not_less,
    )

    agent_figures: bool = _setting(
        True,  # noqa: FBT003 - a default
        "CARELINE_AGENT_FIGURES",
        "Whether care figures are kept for each agent by name; where that is not allowed, say false",
    )
    team_figures: bool = _setting(
        True,  # noqa: FBT003 - a default
        "CARELINE_TEAM_FIGURES",
        "Whether care figures are kept for each team; without, nothing is said of how teams differ",
    )
    stuck_after_seconds: float = _setting(
        60.0,
        "CARELINE_STUCK_AFTER_SECONDS",
        "A worker that does not get on for this long ends itself, so that another one goes on",
        check=_some_seconds,
    )
    fault: str | None = _setting(
        None, "CARELINE_FAULT", "For tests alone: where this worker breaks, as PLACE:COUNT:ACTION", check=check_fault
    )

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> Self:
        """Read every variable once and report all mistakes together.

        Raises:
            SettingsMistake: naming each variable that cannot be understood and what it should look like.
        """
        hints = get_type_hints(cls)
        values: dict[str, Any] = {}
        problems: list[str] = []
        for setting in fields(cls):
            variable = setting.metadata["variable"]
            # Empty is what Compose and many scripts pass on for "not set".
            if not environment.get(variable, "").strip():
                continue
            try:
                value = _parse(environment[variable], hints[setting.name])
                check = setting.metadata["check"]
                values[setting.name] = value if check is None else check(value)
            except ValueError as error:
                problems.append(f"{variable}: {error}")
        for name in ("kafka_password", "kafka_key_password", "model_key"):
            problems += _take_from_file(values, name)
        settings = cls(**values)
        problems = problems or settings.kafka.security.mistakes()
        if problems:
            raise SettingsMistake(problems)
        return settings

    @property
    def kafka(self) -> KafkaConnection:
        """How Kafka is reached: what every client is made with."""
        security = KafkaSecurity(
            protocol=self.kafka_security_protocol,
            ca_file=self.kafka_ca_file,
            certificate_file=self.kafka_certificate_file,
            key_file=self.kafka_key_file,
            key_password=self.kafka_key_password,
            mechanism=self.kafka_sasl_mechanism,
            user=self.kafka_user,
            password=self.kafka_password,
        )
        return KafkaConnection(self.kafka_servers, security)

    def topic(self, name: str) -> str:
        """The physical name of a topic."""
        return self.topic_prefix + name


def _take_from_file(values: dict[str, Any], name: str) -> list[str]:
    """Put a secret that a file holds where it would stand had it come from the environment; what is wrong with it."""
    file: Path | None = values.get(f"{name}_file")
    if file is None:
        return []
    variable = f"CARELINE_{name.upper()}"
    if name in values:
        return [f"{variable}: is set beside {variable}_FILE; only one of them can be right"]
    try:
        values[name] = file.read_text(encoding="utf-8").rstrip("\r\n")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "is no text"
        return [f"{variable}_FILE: {file} cannot be read: {reason}"]
    return [] if values[name] else [f"{variable}_FILE: {file} is empty"]


def _parse(text: str, hint: Any) -> Any:
    if hint is bool:
        return _boolean(text)
    if hint is int:
        return _number(text, int, "a whole number")
    if hint is float:
        return _number(text, float, "a number")
    if hint in (Path, Path | None):
        return Path(text)
    return text


def _boolean(text: str) -> bool:
    word = text.strip().lower()
    if word in TRUE_WORDS:
        return True
    if word in FALSE_WORDS:
        return False
    raise ValueError(f"{text!r} is neither true nor false")


def _number(text: str, kind: type[int] | type[float], wanted: str) -> int | float:
    try:
        return kind(text)
    except ValueError:
        raise ValueError(f"{text!r} is not {wanted}") from None


def without_security(settings: Settings) -> Settings:
    """The settings for a broker of our own on loopback, whatever protects the user's."""
    names = [each.name for each in fields(Settings) if each.metadata["variable"].startswith("CARELINE_KAFKA_")]
    return replace(settings, **{name: getattr(Settings(), name) for name in names})


def process_environment() -> Mapping[str, str]:
    """The environment of this process: settings, and the secrets that a `connectors.yaml` names. Read nowhere else."""
    return os.environ


def split_address(address: str) -> tuple[str, int]:
    """`host:port` in its parts.

    Raises:
        ValueError: there is no port, or it is not a number.
    """
    host, colon, port = address.rpartition(":")
    if not colon or not port.isdigit():
        raise ValueError(f"{address!r} is not host:port")
    return host.strip("[]") or "127.0.0.1", int(port)
