"""Is the next step of an upgrade safe? Facts go in, verdicts come out; and what a release is, is frozen here."""
