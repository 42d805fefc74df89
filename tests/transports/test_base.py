from __future__ import annotations

import pytest

from midflight.errors import InvalidValue, MidflightError
from midflight.transports.base import Address, NoAnswer, NobodyListens


def test_names_of_more_than_one_word() -> None:
    """A host may be several words with dots between them, and a topic is one."""
    assert str(Address("member", "compute.host-1.3f")) == "member@compute.host-1.3f"
    with pytest.raises(InvalidValue, match=r"^address topic: received 'host.1'"):
        Address("host.1")


@pytest.mark.parametrize("name", ["host..1", ".", "host.*", "*", ">", "", "two words", "@any"])
def test_addresses_are_words(name: str) -> None:
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
