"""``house sound``: streams, rooms, and what is patched to what."""
