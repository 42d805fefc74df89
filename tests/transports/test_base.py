from __future__ import annotations

import pytest

from midflight.errors import InvalidValue, MidflightError
from midflight.transports.base import Address, NoAnswer, NobodyListens


@pytest.mark.parametrize("name", ["host.1", "*", ">", "", "two words", "@any"])
def test_addresses_are_single_words(name: str) -> None:
    """A topic or a host that could mean more than one address to a broker is refused, by name."""
    with pytest.raises(InvalidValue, match=r"^address host: received .*, expected letters, digits"):
        Address("compute", name)
    with pytest.raises(InvalidValue, match=r"^address topic: received"):
        Address(name)


def test_addresses_in_words() -> None:
    """An address reads as its topic, or as topic@host, and so does what is said about it."""
    assert str(Address("compute")) == "compute"
    assert str(Address("compute", "host-1")) == "compute@host-1"
    assert str(NobodyListens(address="compute")) == "Nobody listens at compute."
    assert str(NoAnswer(address="compute@host-1", seconds=0.5)) == "No answer from compute@host-1 within 0.5 s."
    assert issubclass(NobodyListens, MidflightError)
