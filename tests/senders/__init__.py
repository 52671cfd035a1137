"""How each provider sends: the other side of every connector, for the one behaviour suite."""
