"""The front door: short, listed, and all that the applications use."""

import ast
from pathlib import Path

import midflight

APPS = Path(__file__).parent.parent / "apps"


def test_the_front_door_is_short_and_in_order() -> None:
    """Every name in it exists, once."""
    assert midflight.__all__ == sorted(set(midflight.__all__))
    assert [name for name in midflight.__all__ if not hasattr(midflight, name)] == []
    assert len(midflight.__all__) <= 53


DOORS = "midflight", "midflight.web"
"""A page of one's own needs more, and has a door of its own."""


def test_the_applications_use_public_names_only() -> None:
    """Whatever a user's own repository would import comes through the front door, or through that for pages."""
    private = [
        f"{path.relative_to(APPS)}:{node.lineno}: {ast.unparse(node)}"
        for path in APPS.rglob("*.py")
        if not {"tests", "demo", "bench"} & set(path.relative_to(APPS).parts)
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.ImportFrom)
        and (node.module or "").startswith("midflight.")
        and node.module not in DOORS
    ]
    assert private == []
