"""Slack, Teams and Discord: where teams talk to each other and to their customers."""
