"""Faust, with the few overrides that make it fast and exact.

Each override is one small module and says why it is there.
"""
