"""A Debian 12 with nothing in it, in a folder, and what runs there: as on a machine of its own, but for its network."""

from __future__ import annotations

import os
import re
import shutil
import signal
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.shipped.releases import ROOT, Started, run

FOLDER = ROOT / "build/bare"
TAR = FOLDER / "bookworm.tar"
NOTHING_STARTS = "#!/bin/sh\nexit 101\n"


def tar() -> Path:
    """Its files, made once; images begin with the same."""
    if not TAR.exists():
        root = FOLDER / "bookworm"
        shutil.rmtree(root, ignore_errors=True)
        run("debootstrap", "--variant=minbase", "bookworm", root)
        run("tar", "--numeric-owner", "--directory", root, "--create", "--file", TAR.with_suffix(".part"), ".")
        TAR.with_suffix(".part").rename(TAR)
        shutil.rmtree(root)
    return TAR


class Bare:
    """A fresh one. Its processes have a namespace of their own, and end with it."""

    def __init__(self, name: str) -> None:
        self.root = FOLDER / name
        shutil.rmtree(self.root, ignore_errors=True)
        self.root.mkdir(parents=True)
        run("tar", "--directory", self.root, "--extract", "--file", tar())
        shutil.copy("/etc/resolv.conf", self.root / "etc/resolv.conf")
        (self.root / "usr/sbin/policy-rc.d").write_text(NOTHING_STARTS)
        (self.root / "usr/sbin/policy-rc.d").chmod(0o755)

    def remove(self) -> None:
        """Give its place back."""
        shutil.rmtree(self.root)

    def apt(self, *words: str) -> str:
        """Install, or take away; what else is needed comes from Debian."""
        return self.run("apt-get", "--yes", "--no-install-recommends", *words, DEBIAN_FRONTEND="noninteractive")

    def run(self, *command: str, **environment: str) -> str:
        """What a command writes; it must succeed."""
        return run(*self.inside(*command), **environment)

    @contextmanager
    def starting(self) -> Iterator[None]:
        """While packages may start what they bring, as far as there is anybody who does it."""
        policy = self.root / "usr/sbin/policy-rc.d"
        policy.unlink()
        try:
            yield
        finally:
            policy.write_text(NOTHING_STARTS)
            policy.chmod(0o755)

    @contextmanager
    def service(self, unit: str, **environment: str) -> Iterator[None]:
        """A service as its unit has it started, like ``compute@api``, from its word that it is ready to its end by
        SIGTERM, which must be a good one."""
        template, at, instance = unit.partition("@")
        said = directives(self.root / f"lib/systemd/system/{template}{at}.service")
        user = said["User"] or ("nobody" if said["DynamicUser"] == "yes" else "root")
        for folder in (f"/var/lib/{said['StateDirectory']}", f"/run/{said['RuntimeDirectory']}"):
            self.run("install", "--directory", f"--owner={user}", folder)
        rights = [f"+{right.removeprefix('CAP_').lower()}" for right in said["AmbientCapabilities"].split()]
        granted = [f"--{kind}-caps={','.join(rights)}" for kind in ("inh", "ambient") if rights]
        given = dict(word.partition("=")[::2] for word in said["Environment"].split())
        command = said["ExecStart"].replace("%i", instance).split()
        user_of = ["setpriv", f"--reuid={user}", f"--regid={self.run('id', '-g', user).strip()}", "--clear-groups"]
        log = self.root / f"{unit}.log"
        with Started(self.inside(*user_of, *granted, *command), given | environment, log) as started:
            yield
            (inside,) = Path(f"/proc/{started.pid}/task/{started.pid}/children").read_text().split()
            os.kill(int(inside), signal.SIGTERM)
            started.ends_well()

    def inside(self, *command: str) -> list[str]:
        """The words by which a command is run there."""
        namespaces = ["--mount", "--pid", "--fork", "--kill-child", "--mount-proc"]
        return ["unshare", *namespaces, f"--root={self.root}", "--wd=/", *command]


def directives(unit: Path) -> dict[str, str]:
    """What a unit says, by its names; where there are several of one, all of them."""
    said: defaultdict[str, str] = defaultdict(str)
    for name, value in re.findall(r"^(\w+)=(.*)$", unit.read_text(), re.MULTILINE):
        said[name] = f"{said[name]} {value}".strip()
    return said
