"""Which tests come first, and which are for one worker."""

from __future__ import annotations

import pytest
from xdist.remote import Producer
from xdist.scheduler import LoadScopeScheduling

FLEETS = (
    "acceptance/test_story", "acceptance/test_breaks", "acceptance/test_in_a_browser", "acceptance/test_kill",
    "compat/test_rolled",
)  # fmt: skip
"""Tests whose fleets of a dozen processes work for minutes: one after the other, so that they do not have to share the
processors with each other, and first, so that nobody waits for them at the end."""

LONG = (
    "transports/test_contract", "contrib/test_ansible", "kills/test_kills", "transports/test_amqp",
    "db/lint/test_cases", "test_service", "test_docs", "console/test_frame", "transports/test_nats_cluster",
    "rpc/test_floods",
)  # fmt: skip
"""These take half a minute each, and follow them."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What takes long comes first; the others in the order of their names."""
    first = {name: number for number, name in enumerate((*FLEETS, *LONG))}
    items.sort(key=lambda item: first.get(name_of(item.nodeid), len(first)))


def name_of(nodeid: str) -> str:
    """``acceptance/test_story``; what begins with the name of a fleet's test is one of its tests too."""
    name = nodeid.partition(".py::")[0].removeprefix("tests/")
    return next((fleet for fleet in FLEETS if name.startswith(fleet)), name)


def part_of(nodeid: str) -> str:
    """What one worker takes as a whole: a file; the tests of all fleets; or all faults on one stage, ``[nats-tls]``,
    which takes long to set up."""
    if nodeid.startswith("tests/faults/"):
        return nodeid.partition("[")[2]
    return "fleets" if name_of(nodeid) in FLEETS else nodeid.partition("::")[0]


class Parts(LoadScopeScheduling):
    """Whoever has nothing to do takes the next part. Groups would do, if xdist 3.8 could mark them for pytest 9."""

    def _split_scope(self, nodeid: str) -> str:
        return part_of(nodeid)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> Parts | None:
    """Ours, where files are asked for, in the order in which they were collected."""
    if config.getoption("dist") != "loadfile":
        return None
    config.option.loadscopereorder = False
    return Parts(config, log)
