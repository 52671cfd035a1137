"""History: what a company's own files say happened, as canonical interactions.

`import_mapping` is a mapping file after reading, `row_files` streams the rows of CSV and NDJSON files, `row_events`
turns a row into drafts of events, `conversations` gathers them and knows who is first, `conversation_history` states
them as interactions. `careline import` sends them to Kafka (`history_sender`), `careline policy run` judges them on
the spot.
"""
