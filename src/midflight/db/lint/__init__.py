"""What a schema change would do to those who work, found by doing it: on a scratch PostgreSQL, with rows in it."""
