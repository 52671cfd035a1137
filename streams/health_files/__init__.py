"""Health profiles as files that people write: read strictly, doubted, tested with examples.

`profile_reader` turns a file into `agents.domain.health_profile.HealthFile`, `profile_lint` adds warnings,
`health_cases` runs example-based tests, `snapshot_mapping` reads the mapping of a history of signals. The format is
described in `docs/health.md`.
"""
