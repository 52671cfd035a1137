"""Everything on this machine in one process tree: Kafka, connect, workers, enrich, sink, and a simulated company.

`demo_run` tells the whole in order; `demo_parts` says what is started, `guarded_child` how, `floor_view` what is seen,
`drain` when everything has been worked off, `demo_summary` what came out. `careline demo` is the only caller.
"""
