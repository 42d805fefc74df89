from pathlib import Path

import pytest

from tests.conductor.world import World


@pytest.fixture
def world(tmp_path: Path, database_url: str) -> World:
    """On each engine."""
    return World(tmp_path, database_url)
