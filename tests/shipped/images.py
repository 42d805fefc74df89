"""Images of the applications by podman, in a store of their own.

What an image says is done by hand: who it runs as, where, with which first process. So no runtime of containers is
needed, which not every machine lets root have.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.shipped import bare
from tests.shipped.releases import ROOT, TREES, Started, app_of, run

BASE = "localhost/bookworm:bare"


class Images:
    """Those that were built here, on a Debian that was made here too."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        self._podman("import", bare.tar(), BASE)

    def remove(self) -> None:
        """All of them."""
        self._podman("system", "reset", "--force")

    def build(self, release: str) -> Image:
        """The image of a release."""
        given = {
            "APP": app_of(release), "TREE": TREES[release], "VERSION": release, "REVISION": "here", "BASE": BASE,
            "PIP_NO_INDEX": "1",
        }  # fmt: skip
        arguments = [f"--build-arg={name}={value}" for name, value in given.items()]
        recipe = ["--isolation=chroot", "--format=docker", "--file=contrib/container/Containerfile"]
        self._podman("build", *recipe, *arguments, f"--tag={release}", str(ROOT))
        (said,) = json.loads(self._podman("image", "inspect", release))
        return Image(Path(self._podman("image", "mount", release).strip()), said["Config"], said["Healthcheck"])

    def _podman(self, *words: str | Path) -> str:
        store = ["--root", self._folder / "root", "--runroot", self._folder / "run", "--events-backend=none"]
        return run("podman", *store, *words)


class Image:
    """The files of an image, and what it says of itself."""

    def __init__(self, root: Path, said: dict[str, Any], health: dict[str, Any]) -> None:
        self.root, self.said, self.health = root, said, health

    def run(self, *command: str, **more: str) -> str:
        """What a command writes that is run in place of a service; it must succeed."""
        return run(*self._inside(None, *command), **self._environment, **more)

    def once(self, configured: Path, *command: str, **more: str) -> str:
        """The same, with what a service has."""
        return run(*self._inside(configured, *command), **self._environment, **more)

    @contextmanager
    def service(self, configured: Path, *command: str, **more: str) -> Iterator[None]:
        """A container with folders for /etc/midflight and /var/lib/midflight, until it is stopped; it must end well."""
        log = configured / f"{'-'.join(command)}.log"
        inside = self._inside(configured, *self.said["Entrypoint"], *command)
        with Started(inside, self._environment | more, log) as started:
            yield
            (first,) = Path(f"/proc/{started.pid}/task/{started.pid}/children").read_text().split()
            os.kill(int(first), getattr(signal, self.said["StopSignal"]))
            started.ends_well()

    @property
    def _environment(self) -> dict[str, str]:
        return dict(each.split("=", 1) for each in self.said["Env"])

    def _inside(self, configured: Path | None, *command: str) -> list[str]:
        """Root lays the folders there, and becomes who the image says: what it is is read-only for it."""
        user, _, group = self.said["User"].partition(":")
        mounts = "".join(
            f"mount --bind {configured / name} {self.root / place}; "
            for name, place in (("etc", "etc/midflight"), ("state", "var/lib/midflight"))
            if configured
        )
        become = f"setpriv --reuid={user} --regid={group} --clear-groups --bounding-set=-all"
        start = f'{mounts}exec unshare --root={self.root} --wd={self.said["WorkingDir"]} --mount-proc {become} "$@"'
        return ["unshare", "--mount", "--pid", "--fork", "--kill-child", "sh", "-c", start, "sh", *command]
