"""History from a provider's API, through the same connectors as what comes live.

`backfill_run` is the whole of it; `history_api` asks within the provider's limits, a `history_source` knows its pages,
`history_sink` brings the events into Kafka on a clock of their own, `backfill_position` remembers how far it is.
"""
