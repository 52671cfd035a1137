"""Measurements; `make bench` runs them, each in a process of its own."""
