"""The ways to sleep. One in each module, all with the same verb."""
