"""Calls and text messages."""
