"""What a fleet of thousands costs those who keep its facts: beats, pins, gates."""
