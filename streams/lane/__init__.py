"""A lane: one partition of one agent, with its memory, its transactions and its ticks.

`lane` takes batches from Faust (`streams.faust_app`) and lets the agent decide. `lane_effects` writes down what it says
in the `outbox`, record by record; `lane_transaction` makes its `record_batch`es durable together with the source
offsets. `partition_states` is the memory, `changelog` its form on the wire and its
recovery, `ticks` move time.
"""
