"""Accounts from a YAML file, for those who have no accounts topic filled yet: the start of an `AccountsDirectory`.

```yaml
accounts:
  acme:
    name: Acme Inc.
    tier: gold
    identities: [domain:acme.example, zendesk_org:8447346622462]
```
"""

from pathlib import Path

from schemas.account_profile import AccountProfile
from streams.connectors.accounts_directory import tidy
from streams.connectors.yaml_tables import TableReader
from streams.policy_files.problem import Problems

FIELDS = ("name", "tier", "segment", "contract", "owner", "team", "parent", "identities")


def read_accounts(path: Path, problems: Problems) -> tuple[AccountProfile, ...]:
    """The profiles of a file; what is wrong with it is among the problems."""
    root = TableReader.of_file(path, ("accounts",), problems)
    if root is None:
        return ()
    profiles = []
    claimed: dict[str, str] = {}
    for name, content in root.tables("accounts"):
        reader = TableReader(content, FIELDS, problems)
        identities = reader.words("identities")
        for identity in identities:
            kind, _, value = identity.partition(":")
            if not kind or not value:
                problems.error(
                    reader.place_of("identities"),
                    f"{identity!r} is no identity",
                    "write kind:value, such as domain:acme.example",
                )
            owner = claimed.setdefault(tidy(identity), name.text)
            if owner != name.text:
                problems.error(reader.place_of("identities"), f"{identity!r} belongs to {owner!r} already")
        fields = {key: reader.word(key) for key in FIELDS if key != "identities"}
        profiles.append(AccountProfile(id=name.text, identities=identities, **fields))
    return tuple(profiles)
