"""Sound on one host: its streams and its rooms, by an engine that plays on without us."""
