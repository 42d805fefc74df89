import pytest

from midflight.cli.options import seconds


@pytest.mark.parametrize(
    ("text", "expected"), [("10", 10), ("0.5s", 0.5), ("250ms", 0.25), ("30m", 1800), ("2h", 7200)]
)
def test_a_duration_is_read_as_seconds(text: str, expected: float) -> None:
    """A bare number is seconds."""
    assert seconds(text) == expected


@pytest.mark.parametrize("text", ["", "soon", "-1s", "10 weeks", "1e3", "10s30"])
def test_anything_else_is_refused(text: str) -> None:
    """With what was received and what is expected."""
    with pytest.raises(ValueError, match="expected a duration like 10s, 30m or 2h"):
        seconds(text)
