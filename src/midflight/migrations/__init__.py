"""How rows catch up: online data migrations, swept in chunks, proven by content."""
