"""History: what a company's own files say happened, as canonical interactions.

`import_mapping` is a mapping file after reading, and `due_metrics` knows what a due date may be set for; `row_files`
and `csv_table` stream the rows of CSV and NDJSON files, `row_reader` says what each row means, `conversations` gathers
that and knows who is first, `conversation_history` states it as interactions. `careline import` sends them to Kafka
(`history_sender`); `careline policy run` judges on the spot what conversations have lived through
(`conversation_lives`, `judging`), a long history on all cores (`judging_processes`).
"""
