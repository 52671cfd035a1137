"""Providers on this machine: APIs and sockets as the real ones have them, for connectors that connect by themselves."""
