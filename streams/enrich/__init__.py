"""`careline enrich`: every message of a customer judged once, live; results are events of their own.

`enrich_process` puts the parts together; `enrich_loop` reads interactions and publishes in transactions;
`message_scorer` says what a scorer is and has the one by rules, `model_scorer` the one that asks a language model
(`model_endpoint`) within a budget (`model_budget`).
"""
