"""`connectors.yaml`: which connectors run, under which names, and where their secrets are (never the secrets).

```yaml
own_domains: [ours.example]        # people with these addresses are agents
accounts: accounts.yaml            # optional, see accounts_file
connectors:
  zendesk:                         # the name: route /in/zendesk, and source of its events
    secrets: [ZENDESK_SECRET]      # names of environment variables; several while one is being replaced
  shop-floor:
    connector: webhook             # default: the name
    secrets: [{file: secrets/shop-floor}]   # or files, relative to this one
    channel: chat                  # instead of what the connector would say
    clock: simulation:42           # default: wall
    settle: 2s                     # wait so long for late deliveries before judging; default: no word
    own_ids: [T0123, U0456]        # the provider's ids of our own teams, tenants, people and bots
    public_url: https://in.ours.example     # how providers call us, where they sign the address
    most_per_second: 50            # requests let in, the rest hears 429; default: no limit of its own
redact: {text: drop, addresses: hash, key: REDACTION_KEY}   # also under a connector, and then for it alone
```

A kind of connector may have settings of its own (`careline connect check` names them).
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from agents.partition_controls import LONGEST_SETTLING_SECONDS
from schemas.account_profile import AccountProfile
from streams.connectors.accounts_file import read_accounts
from streams.connectors.connector_contract import CompletingPuller, Connector, ConnectorKind, Instance
from streams.connectors.listen_runner import ListeningSource
from streams.connectors.pull_runner import PulledSource
from streams.connectors.redaction import ADDRESS_MODES, NOTHING_REDACTED, TEXT_MODES, Redaction
from streams.connectors.yaml_tables import TableReader
from streams.policy_files.duration_reader import seconds_of
from streams.policy_files.located_yaml import Node, Table, Text
from streams.policy_files.problem import Problem, Problems, did_you_mean

FILE_KEYS = ("own_domains", "accounts", "connectors", "redact")
INSTANCE_KEYS = (
    "connector",
    "secrets",
    "tokens",
    "own_domains",
    "own_ids",
    "public_url",
    "clock",
    "channel",
    "settle",
    "redact",
    "most_per_second",
)
NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}", re.ASCII)
VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*", re.ASCII)
CLOCK = re.compile(r"wall|simulation:[A-Za-z0-9._-]+", re.ASCII)

HIGHEST_RATE = 100_000.0

EXAMPLE_KEY = b"an example and no secret"
"""What addresses are hashed with where a payload is only explained."""

WEBHOOK_SECRET_VARIABLE = "CARELINE_WEBHOOK_SECRET"  # noqa: S105 - the name of a variable


@dataclass(frozen=True, slots=True)
class ConnectorSetup:
    """What a connect process runs: routes by name, what it fetches or listens for, and accounts to start with."""

    routes: Mapping[str, Connector]
    accounts: tuple[AccountProfile, ...] = ()
    sources: tuple[PulledSource, ...] = ()
    listeners: tuple[ListeningSource, ...] = ()


@dataclass(frozen=True, slots=True)
class ConfiguredInstances:
    """A file without its secrets: enough to say what a payload would become."""

    instances: tuple[Instance, ...]
    accounts: tuple[AccountProfile, ...] = ()


class ConnectorsMistake(ValueError):  # noqa: N818 - the user's mistake, in the user's words
    """The configuration cannot be used. `problems` has every reason, with its place."""

    def __init__(self, problems: list[Problem]) -> None:
        super().__init__("\n".join(problem.as_line() for problem in problems))
        self.problems = problems


def read_connectors(path: Path, variables: Mapping[str, str], kinds: Mapping[str, ConnectorKind]) -> ConnectorSetup:
    """Read a file. `variables` are where the secrets are looked up, `kinds` the connectors that there are.

    Raises:
        ConnectorsMistake: with everything that is wrong, in the file and in the accounts file that it names.
    """
    whole = _ConnectorsFile(path, variables, kinds)
    routes, sources, listeners = {}, [], []
    for name, instance in whole.instances:
        kind = kinds[instance.connector]
        try:
            puller = kind.puller(instance) if kind.puller is not None else None
            if puller is not None:
                sources.append(PulledSource(instance, puller, kind.normaliser(instance)))
            completer = puller if isinstance(puller, CompletingPuller) else None
            if kind.listener is not None:
                listeners.append(ListeningSource(instance, kind.listener(instance), kind.normaliser(instance)))
            elif puller is None or completer is not None or (kind.verifier is not None and instance.secrets):
                routes[name.text] = kind.build(instance, completer)
        except ValueError as error:
            whole.problems.error(name.place, f"{name.text}: {error}", _way_out(kind))
    whole.check()
    return ConnectorSetup(routes, whole.accounts, tuple(sources), tuple(listeners))


def _way_out(kind: ConnectorKind) -> str:
    if kind.puller is None and kind.listener is None:
        return "list them under secrets: by the names of environment variables"
    return "options of " + kind.id + ": " + ", ".join(kind.options)


def read_instances(path: Path, kinds: Mapping[str, ConnectorKind]) -> ConfiguredInstances:
    """Read a file without looking its secrets up.

    Raises:
        ConnectorsMistake: with everything that is wrong.
    """
    whole = _ConnectorsFile(path, None, kinds)
    whole.check()
    return ConfiguredInstances(tuple(instance for _, instance in whole.instances), whole.accounts)


def read_redaction(path: Path, variables: Mapping[str, str]) -> Redaction:
    """What a file redacts wherever a connector says nothing of its own: what holds for history too.

    Raises:
        ConnectorsMistake: the file cannot be read, or what it says of this is wrong.
    """
    problems = Problems(str(path))
    reader = TableReader.of_file(path, FILE_KEYS, problems)
    found = _InstanceReader(path.parent, variables, {}, problems).redaction_of(reader) if reader is not None else None
    if problems.errors:
        raise ConnectorsMistake(problems.errors)
    return found or NOTHING_REDACTED


class _ConnectorsFile:
    """A file as it was read, with its problems."""

    def __init__(self, path: Path, variables: Mapping[str, str] | None, kinds: Mapping[str, ConnectorKind]) -> None:
        self.problems = Problems(str(path))
        reader = TableReader.of_file(path, FILE_KEYS, self.problems)
        if reader is None:
            raise ConnectorsMistake(self.problems.errors)
        self._of_accounts = Problems(str(path))
        self.accounts: tuple[AccountProfile, ...] = ()
        if (named := reader.word("accounts")) is not None:
            accounts_path = path.parent / named
            self._of_accounts = Problems(str(accounts_path))
            self.accounts = read_accounts(accounts_path, self._of_accounts)
        own_domains = frozenset(domain.lower() for domain in reader.words("own_domains"))
        instances = _InstanceReader(path.parent, variables, kinds, self.problems)
        instances.redaction = instances.redaction_of(reader) or NOTHING_REDACTED
        found = [(name, instances.instance(name, table, own_domains)) for name, table in reader.tables("connectors")]
        self.instances = [(name, instance) for name, instance in found if instance is not None]
        if not found and not self.problems.errors:
            self.problems.error(
                reader.place_of("connectors"), "no connector is configured", "name at least one under connectors:"
            )

    def check(self) -> None:
        """Raise what is wrong, if anything is."""
        if self.problems.errors or self._of_accounts.errors:
            raise ConnectorsMistake([*self.problems.errors, *self._of_accounts.errors])


def only_webhook(secret: str, kinds: Mapping[str, ConnectorKind]) -> ConnectorSetup:
    """What runs without a file: the generic webhook at `/in/webhook`. Several secrets stand side by side with blanks.

    Raises:
        ConnectorsMistake: the secret cannot be read.
    """
    instance = Instance("webhook", "webhook", secrets=tuple(secret.split()))
    try:
        return ConnectorSetup({"webhook": kinds["webhook"].build(instance)})
    except ValueError as error:
        way_out = 'make one: echo "whsec_$(openssl rand -base64 32)"'
        raise ConnectorsMistake([Problem(WEBHOOK_SECRET_VARIABLE, None, None, str(error), way_out)]) from None


class _InstanceReader:
    def __init__(
        self,
        folder: Path,
        variables: Mapping[str, str] | None,
        kinds: Mapping[str, ConnectorKind],
        problems: Problems,
    ) -> None:
        self._folder = folder
        self._variables = variables
        self._kinds = kinds
        self._problems = problems
        self.redaction = NOTHING_REDACTED
        """What holds for instances that say nothing of their own."""

    def instance(self, name: Text, content: Table, own_domains: frozenset[str]) -> Instance | None:
        known_before = len(self._problems.errors)
        if not NAME.fullmatch(name.text):
            self._problems.error(
                name.place, f"{name.text!r} is no name for a route", "lower case letters, digits, . _ -"
            )
        kind = self._kind(name, content)
        options = tuple(kind.options) if kind is not None else ()
        reader = TableReader(content, (*INSTANCE_KEYS, *options), self._problems)
        clock = reader.text("clock")
        if clock is not None and not CLOCK.fullmatch(clock.text):
            self._problems.error(clock.place, f"{clock.text!r} is no clock", "wall, or simulation:<seed>")
        said = {option: reader.word(option) for option in options}
        instance = Instance(
            name=name.text,
            connector=kind.id if kind else "",
            secrets=self._secrets(reader, "secrets"),
            tokens=self._secrets(reader, "tokens"),
            own_domains=own_domains | {domain.lower() for domain in reader.words("own_domains")},
            own_ids=frozenset(reader.words("own_ids")),
            clock=clock.text if clock else "wall",
            channel=reader.word("channel"),
            settle_seconds=self._settle(reader),
            public_url=self._public_url(reader),
            most_per_second=self._rate(reader),
            redaction=self.redaction_of(reader) or self.redaction,
            options={option: value for option, value in said.items() if value is not None},
        )
        return instance if kind is not None and len(self._problems.errors) == known_before else None

    def _rate(self, reader: TableReader) -> float | None:
        said = reader.text("most_per_second")
        if said is None:
            return None
        try:
            rate = float(said.text)
        except ValueError:
            rate = 0.0
        if not 1 <= rate <= HIGHEST_RATE:
            self._problems.error(said.place, f"most_per_second: {said.text!r} is no rate", "a number from 1 to 100000")
        return rate

    def redaction_of(self, reader: TableReader) -> Redaction | None:
        """What `redact:` of a table says; null where it says nothing."""
        content = reader.table("redact")
        if content is None:
            return None
        said = TableReader(content, ("text", "addresses", "key"), self._problems)
        text = self._one_of(said, "text", TEXT_MODES)
        addresses = self._one_of(said, "addresses", ADDRESS_MODES)
        keys = self._secrets(said, "key")
        key = keys[0].encode() if keys else b""
        if addresses != "keep" and self._variables is None:
            key = EXAMPLE_KEY
        try:
            return Redaction(text, addresses, key)  # type: ignore[arg-type]  # among the modes
        except ValueError as error:
            self._problems.error(content.place, str(error), "key: the name of an environment variable")
            return None

    def _one_of(self, reader: TableReader, key: str, modes: tuple[str, ...]) -> str:
        said = reader.text(key)
        if said is not None and said.text not in modes:
            self._problems.error(said.place, f"{key}: {said.text!r} is not known", "one of " + ", ".join(modes))
        return said.text if said is not None and said.text in modes else "keep"

    def _public_url(self, reader: TableReader) -> str | None:
        said = reader.text("public_url")
        if said is not None and not said.text.startswith(("https://", "http://")):
            self._problems.error(said.place, f"{said.text!r} is no address", "for example https://in.ours.example")
        return said.text if said is not None else None

    def _settle(self, reader: TableReader) -> int | None:
        said = reader.text("settle")
        seconds = seconds_of(said, "settle", self._problems) if said is not None else None
        if said is not None and seconds is not None and seconds > LONGEST_SETTLING_SECONDS:
            self._problems.error(
                said.place, f"settle: {said.text} is too long", "at most 1h; a puller says how far it is"
            )
        return seconds

    def _kind(self, name: Text, content: Table) -> ConnectorKind | None:
        named = (entry.value for entry in content if entry.key.text == "connector")
        said = next((value for value in named if isinstance(value, Text) and not value.is_null), name)
        kind = self._kinds.get(said.text)
        if kind is None:
            self._problems.error(
                said.place, f"there is no connector {said.text!r}", did_you_mean(said.text, self._kinds)
            )
        return kind

    def _secrets(self, reader: TableReader, key: str) -> tuple[str, ...]:
        found = (self._secret(node) for node in reader.items(key))
        return tuple(secret for secret in found if secret is not None)

    def _secret(self, node: Node) -> str | None:
        if isinstance(node, Table):
            file = TableReader(node, ("file",), self._problems).text("file")
            if file is None:
                self._problems.error(node.place, "names no file", "{file: PATH}")
                return None
            return self._secret_file(file)
        if not isinstance(node, Text) or node.is_null:
            self._problems.error(node.place, "must be the name of an environment variable, or {file: PATH}")
            return None
        if not VARIABLE.fullmatch(node.text) or node.text.startswith("whsec_"):
            # It may well be the secret itself, so it is not repeated.
            self._problems.error(
                node.place, "is not the name of an environment variable", "secrets do not belong into this file"
            )
            return None
        secret = (self._variables or {}).get(node.text, "").strip()
        if not secret and self._variables is not None:
            self._problems.error(
                node.place, f"the environment variable {node.text} is not set", f"export {node.text}=..."
            )
        return secret or None

    def _secret_file(self, file: Text) -> str | None:
        if self._variables is None:
            return None
        try:
            secret = (self._folder / file.text).read_text().strip()
        except (OSError, UnicodeDecodeError) as error:
            reason = error.strerror if isinstance(error, OSError) else "is no text"
            self._problems.error(file.place, f"the secret in {file.text} cannot be read: {reason}")
            return None
        if not secret:
            self._problems.error(file.place, f"{file.text} is empty")
            return None
        return secret
