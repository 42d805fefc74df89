"""Clouds of juno become clouds of kilo, and random things happen to their members on the way."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

from compute import cloud
from compute.objects.flavor import Flavor
from compute.objects.instance import Instance
from midflight.testing import MixedFleet

TREE = Path(__file__).parents[1]


class Cloud(MixedFleet):
    """One instance, which is rebooted whenever the fleet is mixed, and keeps its flavor. All the while somebody counts
    in its metadata, and finds what was saved."""

    releases: ClassVar = {"juno": TREE.parent / "juno", "kilo": TREE}
    members: ClassVar = {"conductor": 2, "scheduler": 1, "api": 1, "compute": 2}
    app: ClassVar = {"http_port": 0, "resize_seconds": 0}
    reboots = counted = 0

    def on_start(self) -> None:
        red = self.guest.with_values(project="red")
        flavor = Flavor(context=red.context, name="small", memory_mb=512, vcpus=1)
        red.run(flavor.create())
        instance = Instance(context=red.context, display_name="first", project_id="red", flavor=flavor)
        self.uuid = red.run(cloud.build(red.context, instance, flavor, ())).uuid
        self.until(lambda: self.instance.task_state is None)

    @property
    def instance(self) -> Instance:
        return self.guest.run(Instance.get(self.guest.context, self.uuid))

    def reboot(self) -> None:
        self.guest.run(cloud.reboot(self.guest.context, self.instance))
        self.reboots += 1
        self.until(lambda: self.instance.task_state is None)

    on_mixed = after_unpin = after_finalize = reboot

    def work(self) -> None:
        instance = self.instance
        found = int(instance.metadata.get("count", "0"))
        assert found in (self.counted, self.counted + 1)  # the latter was Unknown, since somebody was killed
        instance.metadata["count"] = str(found + 1)
        self.counted = found
        self.guest.run(instance.save())
        self.counted = found + 1

    def check(self) -> None:
        found = self.instance
        assert (found.vm_state, found.flavor.name, found.reboots) == ("active", "small", self.reboots)

    def on_end(self) -> None:
        for count in self.folder.glob("state/*/machines/*.count"):
            count.unlink()  # its machine ends with it


test_plans = Cloud.plans()
