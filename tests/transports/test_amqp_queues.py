from __future__ import annotations

import pytest

from midflight.transports.amqp_names import Names
from midflight.transports.amqp_queues import milliseconds_of
from midflight.transports.base import Address, Identity


@pytest.mark.parametrize(
    ("delay", "milliseconds"), [(0.001, 100), (0.1, 100), (0.11, 200), (0.8, 800), (1.0, 1600), (60, 102_400)]
)
def test_delays_share_few_queues(delay: float, milliseconds: int) -> None:
    """A delay is rounded up, never down, to one of a few."""
    assert milliseconds_of(delay) == milliseconds


def test_names_begin_with_the_project() -> None:
    """Every name begins with the project, so that rights can be given by a prefix; no two of them are the same."""
    names = Names("cloud")
    addresses = [Address("compute"), Address("compute", "host1"), Address("host1")]
    made = [
        *map(names.call, addresses),
        *map(names.cast, addresses),
        names.fanout("compute"),
        names.later(100),
        names.exchange,
        names.delays,
    ]
    made += [
        names.places,
        names.reader(names.places),
        *map(names.parked, addresses),
        *(names.reader(names.parked(address)) for address in addresses),
        names.own(Identity("compute", "host1"), "compute@host 1.example", "token"),
    ]
    assert [name for name in made if not f"{name}.".startswith("mf.cloud.")] == []
    assert len(set(made)) == len(made)
    assert made[-1] == "mf.cloud.own.compute.host1.compute-host-1-example.token"
