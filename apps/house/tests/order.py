"""Which tests are for one worker. Groups would do, if xdist 3.8 could mark them for pytest 9."""

from __future__ import annotations

import pytest
from xdist.remote import Producer
from xdist.scheduler import LoadScopeScheduling

SOUND = ("tests/sound/", "tests/demo/")
"""Where sound is played: the demo has rooms, too."""


def is_sound(nodeid: str) -> bool:
    return any(folder in nodeid for folder in SOUND)


def part_of(nodeid: str) -> str:
    """What one worker takes as a whole: a file, or all of sound, whose engines must not wait for each other."""
    return "sound" if is_sound(nodeid) else nodeid.partition("::")[0]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Sound takes longest, and comes first; the others in the order of their names."""
    items.sort(key=lambda item: not is_sound(item.nodeid))


class Parts(LoadScopeScheduling):
    """Whoever has nothing to do takes the next part."""

    def _split_scope(self, nodeid: str) -> str:
        return part_of(nodeid)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> Parts | None:
    """Ours, where files are asked for, in the order in which they were collected."""
    if config.getoption("dist") != "loadfile":
        return None
    config.option.loadscopereorder = False
    return Parts(config, log)
