"""E-mail by every way it comes in: fetched, delivered, or handed over by a provider."""
