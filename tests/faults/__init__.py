"""Real parts are killed, paused and cut off while they work; an independent oracle says what must come out.

`fault_story` invents what customers and agents do, from a seed; `plain_oracle` says what that means; `house` runs
brokers, workers, sinks and proxies; `verdicts` compares clock by clock, account by account, row by row. The tests are
the faults F1 to F27 of `docs/guarantees.md`.
"""
