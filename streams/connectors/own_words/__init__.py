"""Canonical events from anybody: in our own words, by plain webhook or as CloudEvents."""
