"""Live computation: what the promises to a customer are worth at this moment. Knows no Kafka, no Faust, no database."""
