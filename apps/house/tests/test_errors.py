"""The house's own errors, on their way from service to service."""

from __future__ import annotations

import pytest

from house.errors import AddressTaken, AlreadyExists, HouseError, NotClaimed, NotFound, NotNow, StaysAwake
from house.project import project
from midflight.rpc.faults import Faults

ERRORS = [
    AddressTaken("nas", "10.0.0.2", "desk"), AlreadyExists("machine", "nas"), NotClaimed("nas", "another host has it"),
    NotFound("machine", "nas"), NotFound.among("machine", "nas", ["desk", "nass"]), NotNow("nas", "it is falling"),
    StaysAwake("nas", ("a film runs", "ada holds it"), "2026-11-26"),
]  # fmt: skip


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
def test_an_error_arrives_as_what_it_is(error: HouseError) -> None:
    """With all that it knows, and in the same words."""
    faults = Faults(project.errors)
    found = faults.error(faults.fault(error), "a call", "somebody")
    assert type(found) is type(error)
    assert (vars(found), str(found)) == (vars(error), str(error))


def test_reasons_arrive_one_by_one() -> None:
    """However many there are."""
    assert StaysAwake("nas", "a film runs\nada holds it").reasons == ("a film runs", "ada holds it")
