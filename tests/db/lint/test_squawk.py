"""A second pair of eyes, where it is installed."""

import pytest

from midflight.db.lint.squawk import squawk


def test_what_squawk_says() -> None:
    """Its rules are told with their messages; those that the runner cares for are not asked."""
    found = list(
        squawk("0002", "CREATE INDEX ix ON instances (host); ALTER TABLE instances ADD COLUMN x int NOT NULL;")
    )
    rules = [finding.table for finding in found]
    assert rules == ["require-concurrent-index-creation", "adding-required-field"]
    assert "table updates are blocked" in found[0].cause
    assert found[0].rewrite == "Use `concurrently` to avoid blocking writes."


def test_nothing_to_say() -> None:
    """What is fine is passed over, and so is a revision without text."""
    assert list(squawk("0002", "ALTER TABLE instances ADD COLUMN x bigint;")) == []
    assert list(squawk("0002c", "ALTER TABLE instances DROP COLUMN x; DROP TABLE flavors;")) == []
    assert list(squawk("0002", "")) == []


def test_without_squawk(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody needs it."""
    monkeypatch.setattr("shutil.which", lambda *_, **__: None)
    assert list(squawk("0002", "CREATE INDEX ix ON instances (host);")) == []
