"""Pure calculation.

Calendars, clocks, windows, scores. No I/O, no clock on the wall, no randomness, nothing asynchronous.
"""
