"""Everything that touches the outside: Kafka, Faust, ClickHouse, Prometheus, HTTP, files, the command line."""
