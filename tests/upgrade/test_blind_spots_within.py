"""Changes within one version that leave fields and types as they are, and that some peer, row or log still notices."""

import ast
from collections.abc import Callable
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import pytest

from midflight.context import Context
from midflight.objects.base import VersionedObject, Wire, backport
from midflight.objects.fields import field
from midflight.objects.remote import remotable
from midflight.objects.types import Codec
from tests.upgrade.two_codes import Code, checked, only

Codes = tuple[Code, Code]


class Power(StrEnum):
    ON = "on"
    OFF = "off"


def _fallback(then: Power | None, now: Power | None) -> Codes:
    class Disk(VersionedObject, version="1.0"):
        power: Power = field(**({"fallback": then} if then else {}))

    before = Disk

    class Disk(VersionedObject, version="1.0"):  # type: ignore[no-redef]
        power: Power = field(**({"fallback": now} if now else {}))

    return [before], [Disk]


def fallback_added() -> Codes:
    return _fallback(None, Power.OFF)


def fallback_changed() -> Codes:
    return _fallback(Power.OFF, Power.ON)


def fallback_removed() -> Codes:
    return _fallback(Power.OFF, None)


def _disk(then: Any, now: Any) -> Codes:
    """One field, declared in two ways."""

    class Disk(VersionedObject, version="1.0"):
        size: int = then

    before = Disk

    class Disk(VersionedObject, version="1.0"):  # type: ignore[no-redef]
        size: int = now

    return [before], [Disk]


def sensitive_set() -> Codes:
    return _disk(field(default=5), field(default=5, sensitive=True))


def sensitive_cleared() -> Codes:
    return _disk(field(default=5, sensitive=True), field(default=5))


def another_column() -> Codes:
    return _disk(field(), field(column="gigabytes"))


def another_reader_of_its_column() -> Codes:
    return _disk(field(from_column=int), field(from_column=float))


def reader_of_its_column_with_another_body() -> Codes:
    return _disk(field(from_column=lambda value: value // 2), field(from_column=lambda value: value // 4))


def writer_of_its_column_with_another_body() -> Codes:
    return _disk(field(to_column=lambda size: size * 2), field(to_column=lambda size: size * 4))


def lambda_with_another_body() -> Codes:
    return _disk(field(default_factory=lambda: 1), field(default_factory=lambda: 2))


def _five() -> int:
    return 5


FIVE = _five


def _five() -> int:  # type: ignore[no-redef]  # as the next release says it
    return 6


def default_made_by_another_body() -> Codes:
    return _disk(field(default_factory=FIVE), field(default_factory=_five))


def lossy_set() -> Codes:
    return _backports(then=False, now=True)


def lossy_cleared() -> Codes:
    return _backports(then=True, now=False)


def _backports(*, then: bool, now: bool) -> Codes:
    def made(lossy: bool) -> type:
        class Disk(VersionedObject, version="1.1"):
            label: str

            @backport(before="1.1", lossy=lossy)
            def labels_were_short(self, wire: Wire) -> None:
                """Before 1.1 a label had eight letters."""
                wire["label"] = wire["label"][:8]

        return Disk

    return [made(then)], [made(now)]


def default_of_a_tombstone() -> Codes:
    def made(default: int) -> type:
        class Disk(VersionedObject, version="1.1"):
            label: str
            size: int = field(default=default, until="1.1")

        return Disk

    return [made(1)], [made(2)]


FOUND: dict[Callable[[], Codes], tuple[str, str, str]] = {
    fallback_added: ("wire", "power", "takes unknown members for off"),
    fallback_changed: ("wire", "power", "takes unknown members for on"),
    fallback_removed: ("wire", "power", "refuses unknown members"),
    sensitive_set: ("code", "size", "became sensitive"),
    sensitive_cleared: ("code", "size", "is no longer sensitive"),
    another_column: ("store", "size", "column changed from its own name to gigabytes"),
    another_reader_of_its_column: ("store", "size", "from_column changed from int to float"),
    reader_of_its_column_with_another_body: ("store", "size", "the body of from_column changed"),
    writer_of_its_column_with_another_body: ("store", "size", "the body of to_column changed"),
    lambda_with_another_body: ("code", "size", "the body of its default changed, lambda()"),
    default_made_by_another_body: ("code", "size", "the body of its default changed, _five()"),
    lossy_set: ("code", "labels_were_short()", "became lossy"),
    lossy_cleared: ("code", "labels_were_short()", "is no longer lossy"),
    default_of_a_tombstone: ("wire", "size", "default changed from 1 to 2"),
}


@pytest.mark.parametrize(("codes", "found"), FOUND.items(), ids=[codes.__name__ for codes in FOUND])
def test_a_change_that_no_type_shows_is_seen(
    tmp_path: Path, codes: Callable[[], Codes], found: tuple[str, str, str]
) -> None:
    """With who notices, whom it breaks, the version that is due and its line to paste."""
    finding = only(checked(tmp_path, *codes()))
    category, name, change = found
    assert (finding.category, finding.path, finding.change) == (category, f"Disk.{name}", change)
    version = "1.2" if finding.suggestion.endswith('1.2"):') else "1.1"
    assert finding.due.startswith(f"Disk {version}")
    assert finding.suggestion == f'class Disk(VersionedObject, version="{version}"):'
    assert (finding.peers, bool(finding.breaks)) == (("r1",), True)


def test_a_column_is_due_an_online_data_migration(tmp_path: Path) -> None:
    """Rows carry no version: a new one of the object does not help them."""
    finding = only(checked(tmp_path, *another_column()))
    assert "reads and writes the old column of the same rows" in finding.breaks
    assert finding.due == (
        "Disk 1.1, and an online data migration that keeps both columns until no older code opens the database"
    )


class Money:
    """Pence, which its codecs know how to write."""

    def __init__(self, pence: int) -> None:
        self.pence = pence


def _codec(codec: Codec, version: str = "1.0", *, backported: bool = False) -> type:
    own = type("Money", (Money,), {})

    class Disk(VersionedObject, version=version):
        prices: list[Annotated[own, codec]]  # type: ignore[valid-type]

        if backported:

            @backport(before="1.1")
            def prices_were_pence(self, wire: Wire) -> None:
                """Before 1.1 prices were in pence."""
                wire["prices"] = [price * 100 for price in wire["prices"]]

    return Disk


def _money(value: Any) -> Money:
    return value if isinstance(value, Money) else Money(int(value))


FIRST = Codec(_money, lambda money: money.pence, lambda pence: Money(pence))
LENIENT = Codec(lambda value: Money(0), lambda money: money.pence, lambda pence: Money(pence))
POUNDS = Codec(_money, lambda money: money.pence // 100, lambda pence: Money(pence))
READS_POUNDS = Codec(_money, lambda money: money.pence, lambda pounds: Money(pounds * 100))


@pytest.mark.parametrize(
    ("codec", "category", "part", "due"),
    [
        (LENIENT, "code", "coerce", "Disk 1.1"),
        (POUNDS, "wire", "encode", "Disk 1.1, a backport before 1.1"),
        (READS_POUNDS, "store", "decode", "Disk 1.1, a forwardport since 1.1"),
    ],
)
def test_another_body_of_a_codec_is_seen(tmp_path: Path, codec: Codec, category: str, part: str, due: str) -> None:
    """Each of the three in its own way, at any depth of containers."""
    finding = only(checked(tmp_path, [_codec(FIRST)], [_codec(codec)]))
    assert (finding.category, finding.path, finding.due) == (category, "Disk.prices", due)
    assert finding.change == f"another body of the Codec's {part}"
    ast.parse(f"{finding.suggestion} ...")


def test_what_a_codec_says_otherwise_needs_a_backport_even_in_a_new_version(tmp_path: Path) -> None:
    """What is only assigned otherwise does not."""
    assert only(checked(tmp_path / "a", [_codec(FIRST)], [_codec(POUNDS, "1.1")])).category == "wire"
    assert not checked(tmp_path / "b", [_codec(FIRST)], [_codec(POUNDS, "1.1", backported=True)]).findings
    assert not checked(tmp_path / "c", [_codec(FIRST)], [_codec(LENIENT, "1.1")]).findings


class Port(VersionedObject, version="1.0"):
    id: int


def _ports(extends: bool, version: str = "1.0", *, held: bool = True) -> Code:
    bases: tuple[Any, ...] = (Port,) if extends else (VersionedObject,)

    class FastPort(*bases, version=version):  # type: ignore[misc]
        id: int

    class Switch(VersionedObject, version="1.0"):
        if held:
            ports: list[Port]

        @remotable
        async def first(self) -> int:
            raise NotImplementedError

    return [Port, FastPort, Switch]


@pytest.mark.parametrize("version", ["1.0", "1.1"])
def test_an_object_that_no_longer_extends_another_is_seen(tmp_path: Path, version: str) -> None:
    """A peer puts it where the base is asked for, whatever its version."""
    finding = only(checked(tmp_path, _ports(extends=True), _ports(extends=False, version=version)))
    assert (finding.category, finding.path, finding.change) == ("wire", "FastPort", "no longer extends Port")
    assert finding.due == "the base Port, until no peer in the window has FastPort 1.0 as one"
    assert finding.suggestion == f'class FastPort(Port, version="{version}"):'


@pytest.mark.parametrize("version", ["1.0", "1.1"])
def test_an_object_that_extends_another_now_is_seen(tmp_path: Path, version: str) -> None:
    """A peer that has it as an object of its own refuses it there."""
    finding = only(checked(tmp_path, _ports(extends=False), _ports(extends=True, version=version)))
    assert (finding.change, finding.category) == ("extends Port now", "wire")
    assert finding.due == "another object that extends Port, beside FastPort"


def test_where_nothing_holds_the_base_a_version_is_enough(tmp_path: Path) -> None:
    """No peer has a place for it."""
    before, now = _ports(extends=False, held=False), _ports(extends=True, held=False)
    assert only(checked(tmp_path / "a", before, now)).due == "FastPort 1.1"
    assert not checked(tmp_path / "b", before, _ports(extends=True, version="1.1", held=False)).findings


def test_a_base_counts_wherever_it_is_held(tmp_path: Path) -> None:
    """In the arguments and results of remotables too."""

    def code(extends: bool) -> Code:
        class Switch(VersionedObject, version="1.0"):
            id: int

            @classmethod
            @remotable
            async def plug(cls, context: Context, port: Port) -> None:
                raise NotImplementedError

        return [Port, _ports(extends, "1.1" if extends else "1.0")[1], Switch]

    assert only(checked(tmp_path, code(extends=False), code(extends=True))).change == "extends Port now"


def test_the_value_of_a_sensitive_default_stays_out_of_every_file(tmp_path: Path) -> None:
    """Of its making only the name is told, for a body may hold a secret too, and what a digest hides can be tried."""
    secret = "hunter2"

    class Disk(VersionedObject, version="1.0"):
        password: str = field(default=secret, sensitive=True)
        token: str = field(default_factory=lambda: "hunter3", sensitive=True)
        note: str | None = field(default=None, sensitive=True)

    checked(tmp_path, [Disk], [Disk])
    written = (tmp_path / "r1.toml").read_text()
    assert "hunter" not in written
    assert 'password = "str, default ***, sensitive"\ntoken = "str, default lambda(), sensitive"' in written
    assert 'note = "str | None, default None, sensitive"' in written


def test_a_set_of_transitions_reads_alike_in_every_run(tmp_path: Path) -> None:
    """The order in which moves are written, and that of a set, mean nothing."""

    class Disk(VersionedObject, version="1.0"):
        power: Power = field(transitions={Power.ON: {Power.OFF, Power.ON}, Power.OFF: {Power.ON}})

    before = Disk

    class Disk(VersionedObject, version="1.0"):  # type: ignore[no-redef]
        power: Power = field(transitions={Power.OFF: [Power.ON], Power.ON: [Power.ON, Power.OFF]})

    assert not checked(tmp_path, [before], [Disk]).findings
