"""What `careline connect backfill` puts together before it begins: the instance, the way in, the position.

Every mistake on the command line ends here, with status 2 and a way out; `backfill_command` has the rest.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from hashlib import blake2b
from pathlib import Path
from typing import TYPE_CHECKING

from streams.cli.admin_options import WRONG_USE, stop
from streams.settings import Settings, process_environment

if TYPE_CHECKING:
    from streams.backfill.backfill_position import BackfillPosition, Positions
    from streams.backfill.history_api import HistoryApi
    from streams.backfill.history_providers import HistoryProvider
    from streams.connectors.connector_contract import Instance

LEFT_OUT = timedelta(minutes=1)
"""Exports leave the last minute out, so until then nothing is missing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WayIn:
    """How the provider is asked, as the command line says it."""

    provider: str
    subdomain: str | None
    base_url: str | None
    user: str | None
    token_from: str | None

    def found(self) -> "HistoryProvider":
        """The provider. Ends the program where there is none of this name."""
        from streams.backfill.history_providers import PROVIDERS
        from streams.policy_files.problem import did_you_mean

        provider = PROVIDERS.get(self.provider)
        if provider is None:
            way_out = did_you_mean(self.provider, PROVIDERS)
            raise stop(f"no history of {self.provider!r} can be fetched; {way_out}", WRONG_USE)
        return provider

    def api(self, told: Callable[[str], None]) -> "HistoryApi":
        """A session with the provider, not yet open. Ends the program where something is missing."""
        from streams.backfill.history_api import HistoryApi

        provider = self.found()
        variable = self.token_from or provider.token_variable
        token = process_environment().get(variable, "").strip()
        if not token:
            raise stop(f"the environment variable {variable} is not set: {provider.access}", WRONG_USE)
        address = self.base_url or provider.base_url(self.subdomain)
        if address is None:
            raise stop("--subdomain: name yours, acme for https://acme.zendesk.com", WRONG_USE)
        try:
            return HistoryApi(address, provider.proof(token, self.user), told=told)
        except ValueError as error:
            raise stop(f"--base-url: {error}", WRONG_USE) from None


def chosen_instance(provider: str, name: str | None, config: Path | None) -> "Instance":
    """The instance whose events these are: as in a connectors.yaml, or plain where there is none."""
    from streams.connectors.connector_contract import Instance
    from streams.connectors.connector_registry import known_connectors
    from streams.connectors.connectors_file import ConnectorsMistake, read_connectors

    if config is None:
        return Instance(name or provider, provider)
    try:
        setup = read_connectors(config, process_environment(), known_connectors())
    except ConnectorsMistake as mistake:
        raise stop(str(mistake), WRONG_USE) from None
    instances = [route.instance for route in setup.routes.values()] + [source.instance for source in setup.sources]
    found = [each for each in instances if each.connector == provider and name in {None, each.name}]
    if not found:
        raise stop(f"{config} has no connector {name or provider!r} of the kind {provider}", WRONG_USE)
    if len(found) > 1:
        names = ", ".join(each.name for each in found)
        raise stop(f"{config} has several of the kind {provider} ({names}); choose one with --instance", WRONG_USE)
    return found[0]


def kept_in(settings: Settings, instance: "Instance", since: datetime, state: Path | None) -> "Positions":
    """Where the position is kept: in a file that the command line names, else in Kafka."""
    from streams.backfill.backfill_position import FilePositions, KafkaPositions

    if state is not None:
        return FilePositions(state)
    name = f"backfill/{instance.name}/{since.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"
    return KafkaPositions(settings.kafka, settings.topic_prefix, name)


def position_of(
    stored: "BackfillPosition | None", instance: "Instance", since: datetime, until: datetime | None
) -> "BackfillPosition":
    """Where to begin: behind what an unfinished backfill has done, else at the beginning, on a clock of its own."""
    from streams.backfill.backfill_position import BackfillPosition

    if stored is not None and not stored.finished:
        if stored.since != since or (until is not None and stored.until != until):
            span = f"--since {stored.since.isoformat()} --until {stored.until.isoformat()}"
            raise stop(f"an unfinished backfill has other times ({span}); --from-start begins anew", WRONG_USE)
        return stored
    now = datetime.now(UTC)
    end = until if until is not None else (now - LEFT_OUT).replace(microsecond=0)
    if end <= since:
        raise stop(f"--until {end.isoformat()} is not after --since {since.isoformat()}", WRONG_USE)
    digest = blake2b(f"{instance.name}/{since.isoformat()}/{now.isoformat()}".encode(), digest_size=6).hexdigest()
    return BackfillPosition(clock=f"import:backfill-{digest}", since=since, until=end)


def on_clock(instance: "Instance", clock: str) -> "Instance":
    """The instance with the clock of the backfill instead of its own."""
    return replace(instance, clock=clock)
