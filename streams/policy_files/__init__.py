"""The files that people write: policies, their tests, import mappings. Read strictly, every mistake with its place.

`located_yaml` gives a tree that knows lines and columns, the readers turn it into `schemas.policy` and friends,
`policy_lint` adds warnings, `policy_cases` runs example-based tests. `docs/policy-format.md` describes the formats.
"""
