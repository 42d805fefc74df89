"""Calls, casts and fanouts between two releases, juno and kilo, of one project."""
