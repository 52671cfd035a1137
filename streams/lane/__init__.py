"""A lane: one partition of one agent, with its memory, its transactions and its ticks.

`lane` takes batches from Faust (`streams.faust_app`), lets the agent decide, and has `lane_transaction` make results,
state and source offsets durable together. `partition_states` is the memory, `changelog` its form on the wire and its
recovery, `ticks` move time.
"""
