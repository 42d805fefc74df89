"""What a larger fleet costs: many simulated agents on one broker, with a real conductor."""
