"""Objects at rest in rows, over the versions of their class."""

from typing import Any

from sqlalchemy import JSON, Column, Integer, MetaData, Table, create_engine, insert, select, update

from midflight.objects.base import VersionedObject, Wire, backport, forwardport
from midflight.objects.fields import field
from midflight.objects.registry import Registry
from midflight.objects.wire import from_row, to_row
from midflight.versions import Manifest, Version


class Volume(VersionedObject, version="1.2"):
    megabytes: int
    labels: list[str] = field(default_factory=list, since="1.1")

    @backport(before="1.2")
    def sizes_were_gigabytes(self, wire: Wire) -> None:
        """Before 1.2 a size was in gigabytes."""
        wire["gigabytes"] = wire.pop("megabytes") // 1024

    @staticmethod
    @forwardport(since="1.2")
    def sizes_are_megabytes(wire: Wire) -> None:
        """Since 1.2 a size is in megabytes."""
        wire["megabytes"] = wire.pop("gigabytes") * 1024


class Host(VersionedObject, version="1.0"):
    id: int
    root: Volume
    more: dict[str, list[Volume]] = field(default_factory=dict)


Registry([Volume, Host])
FLOOR = Manifest({"Host": Version(1, 0), "Volume": Version(1, 0)})
hosts = Table("hosts", MetaData(), Column("id", Integer, primary_key=True), Column("root", JSON), Column("more", JSON))


def test_a_row_goes_through_its_whole_life() -> None:
    """Written under the floor, loaded, changed and saved under it, and written anew when the floor has risen: an object
    at any depth is in the version of its readers, and is brought forward by name when it is loaded."""
    engine = create_engine("sqlite://")
    with engine.begin() as connection:
        hosts.metadata.create_all(connection)

        def stored() -> dict[str, Any]:
            return dict(connection.execute(select(hosts)).mappings().one())

        host = Host(id=1, root=Volume(megabytes=2048), more={"data": [Volume(megabytes=1024)]})
        connection.execute(insert(hosts).values(to_row(host, manifest=FLOOR)))
        assert stored()["root"] == {"$": "Volume:1.0", "gigabytes": 2}
        assert stored()["more"] == {"data": [{"$": "Volume:1.0", "gigabytes": 1}]}

        loaded = from_row(Host, stored())
        assert (loaded, loaded.changes(), loaded.root.labels) == (host, {}, [])
        loaded.more["data"][0].megabytes = 3072
        changed = to_row(loaded, only_changes=True, manifest=FLOOR)
        assert changed == {"more": {"data": [{"$": "Volume:1.0", "gigabytes": 3}]}}
        connection.execute(update(hosts).values(changed))

        risen = from_row(Host, stored())
        risen.root.labels.append("fast")
        connection.execute(update(hosts).values(to_row(risen, only_changes=True)))
        assert stored()["root"] == {"$": "Volume:1.2", "megabytes": 2048, "labels": ["fast"]}
        assert stored()["more"] == {"data": [{"$": "Volume:1.0", "gigabytes": 3}]}
        assert from_row(Host, stored()).more["data"] == [Volume(megabytes=3072)]
    engine.dispose()
