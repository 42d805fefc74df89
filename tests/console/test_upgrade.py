"""The page Upgrade: what to do is told in words, and what is a command can be copied."""

from __future__ import annotations

import pytest

from midflight.console.pages.upgrade import Said, commanded


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("midflight data run", ("", "midflight data run", "")),
        ("start it again, or: midflight fleet retire c.1", ("start it again, or:", "midflight fleet retire c.1", "")),
        ("midflight db expand, from a copy of kilo", ("", "midflight db expand", "from a copy of kilo")),
        ("run midflight from a copy of kilo", ("run midflight from a copy of kilo", "", "")),
        ("deploy kilo to the agents", ("deploy kilo to the agents", "", "")),
    ],
)
def test_a_command_is_told_from_the_words_around_it(text: str, parts: tuple[str, str, str]) -> None:
    """Only that is copied, and only that looks like one."""
    assert commanded(text) == Said(*parts)
