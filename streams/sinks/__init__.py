"""Where results leave Kafka: into ClickHouse (`sink_loop`), and as numbers for Prometheus (`prometheus_metrics`).

ClickHouse: `clickhouse_connection` opens a server or the embedded engine, `migrations_runner` brings its tables up to
date, `rows` turns a contract into rows, `batch_intent` remembers which batch is about to be written, `sink_loop` writes
it, and `sql_service` answers read-only questions while the engine is embedded.

Prometheus: `metric_names` names every metric, `recorder` is what the rest of the program calls, `prometheus_metrics`
counts, `metrics_server` shows.
"""
