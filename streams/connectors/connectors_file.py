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
```
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from agents.partition_controls import LONGEST_SETTLING_SECONDS
from schemas.account_profile import AccountProfile
from streams.connectors.accounts_file import read_accounts
from streams.connectors.connector_contract import ConnectorKind, Instance
from streams.connectors.intake import Route
from streams.connectors.yaml_tables import TableReader
from streams.policy_files.duration_reader import seconds_of
from streams.policy_files.located_yaml import Node, Table, Text
from streams.policy_files.problem import Problem, Problems, did_you_mean

INSTANCE_KEYS = ("connector", "secrets", "tokens", "own_domains", "clock", "channel", "settle")
NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}", re.ASCII)
VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*", re.ASCII)
CLOCK = re.compile(r"wall|simulation:[A-Za-z0-9._-]+", re.ASCII)

WEBHOOK_SECRET_VARIABLE = "CARELINE_WEBHOOK_SECRET"  # noqa: S105 - the name of a variable


@dataclass(frozen=True, slots=True)
class ConnectorSetup:
    """What a connect process runs: its routes by name, and the accounts that it starts with."""

    routes: Mapping[str, Route]
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
    problems = Problems(str(path))
    reader = TableReader.of_file(path, ("own_domains", "accounts", "connectors"), problems)
    if reader is None:
        raise ConnectorsMistake(problems.errors)
    of_accounts = Problems(str(path))
    accounts: tuple[AccountProfile, ...] = ()
    if (named := reader.word("accounts")) is not None:
        accounts_path = path.parent / named
        of_accounts = Problems(str(accounts_path))
        accounts = read_accounts(accounts_path, of_accounts)
    own_domains = frozenset(domain.lower() for domain in reader.words("own_domains"))
    instances = _InstanceReader(path.parent, variables, kinds, problems)
    routes = {}
    for name, content in reader.tables("connectors"):
        route = instances.route(name, content, own_domains)
        if route is not None:
            routes[name.text] = route
    if not routes and not problems.errors:
        problems.error(
            reader.place_of("connectors"), "no connector is configured", "name at least one under connectors:"
        )
    if problems.errors or of_accounts.errors:
        raise ConnectorsMistake([*problems.errors, *of_accounts.errors])
    return ConnectorSetup(routes, accounts)


def only_webhook(secret: str, kinds: Mapping[str, ConnectorKind]) -> ConnectorSetup:
    """What runs without a file: the generic webhook at `/in/webhook`. Several secrets stand side by side with blanks.

    Raises:
        ConnectorsMistake: the secret cannot be read.
    """
    instance = Instance("webhook", "webhook", secrets=tuple(secret.split()))
    try:
        return ConnectorSetup({"webhook": Route(instance, kinds["webhook"].build(instance))})
    except ValueError as error:
        way_out = 'make one: echo "whsec_$(openssl rand -base64 32)"'
        raise ConnectorsMistake([Problem(WEBHOOK_SECRET_VARIABLE, None, None, str(error), way_out)]) from None


class _InstanceReader:
    def __init__(
        self, folder: Path, variables: Mapping[str, str], kinds: Mapping[str, ConnectorKind], problems: Problems
    ) -> None:
        self._folder = folder
        self._variables = variables
        self._kinds = kinds
        self._problems = problems

    def route(self, name: Text, content: Table, own_domains: frozenset[str]) -> Route | None:
        known_before = len(self._problems.errors)
        if not NAME.fullmatch(name.text):
            self._problems.error(
                name.place, f"{name.text!r} is no name for a route", "lower case letters, digits, . _ -"
            )
        reader = TableReader(content, INSTANCE_KEYS, self._problems)
        kind = self._kind(name, reader)
        clock = reader.text("clock")
        if clock is not None and not CLOCK.fullmatch(clock.text):
            self._problems.error(clock.place, f"{clock.text!r} is no clock", "wall, or simulation:<seed>")
        instance = Instance(
            name=name.text,
            connector=kind.id if kind else "",
            secrets=self._secrets(reader, "secrets"),
            tokens=self._secrets(reader, "tokens"),
            own_domains=own_domains | {domain.lower() for domain in reader.words("own_domains")},
            clock=clock.text if clock else "wall",
            channel=reader.word("channel"),
            settle_seconds=self._settle(reader),
        )
        if kind is None or len(self._problems.errors) > known_before:
            return None
        try:
            return Route(instance, kind.build(instance))
        except ValueError as error:
            self._problems.error(
                name.place, f"{name.text}: {error}", "list them under secrets: by the names of environment variables"
            )
            return None

    def _settle(self, reader: TableReader) -> int | None:
        said = reader.text("settle")
        seconds = seconds_of(said, "settle", self._problems) if said is not None else None
        if said is not None and seconds is not None and seconds > LONGEST_SETTLING_SECONDS:
            self._problems.error(
                said.place, f"settle: {said.text} is too long", "at most 1h; a puller says how far it is"
            )
        return seconds

    def _kind(self, name: Text, reader: TableReader) -> ConnectorKind | None:
        said = reader.text("connector") or name
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
        secret = self._variables.get(node.text, "").strip()
        if not secret:
            self._problems.error(
                node.place, f"the environment variable {node.text} is not set", f"export {node.text}=..."
            )
            return None
        return secret

    def _secret_file(self, file: Text) -> str | None:
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
