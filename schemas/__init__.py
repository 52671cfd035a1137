"""Contracts: everything that crosses a process boundary, and nothing else.

What enters (`interaction`, `signal`, `account_profile`, `control`, `policy`), what leaves (`sla_event`, `clock_view`,
`adherence`, `health_score`, `alert`, `rejection`), what is remembered (`conversation_state`, `account_state`), where it
all goes (`topics`) and how it looks on the wire (`codec`).

This package imports the standard library and msgspec, and nothing of ours. Rules for a change: new fields have
defaults, no field changes its type or meaning, every contract has golden examples under `examples/`.
"""
