"""What crosses a process boundary: golden messages, schemas, registry rules."""
