"""Namespaces, from within this process: what is opened inside one belongs to it for ever."""

from __future__ import annotations

import ctypes
import os
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

_CLONE_NEWNET = 0x4000_0000
_libc = ctypes.CDLL(None, use_errno=True)


@contextmanager
def inside(name: str) -> Iterator[None]:
    """Open sockets in a namespace. Nothing may wait in the block."""
    with open("/proc/thread-self/ns/net") as home, open(f"/run/netns/{name}") as there:
        _enter(there.fileno())
        try:
            yield
        finally:
            _enter(home.fileno())


def _enter(descriptor: int) -> None:
    if _libc.setns(descriptor, _CLONE_NEWNET):
        raise OSError(ctypes.get_errno(), "setns (namespaces need root)")


def ip(lines: Sequence[str], namespace: str | None = None) -> None:
    """Do what these lines say, as ``ip`` does."""
    where = ["-n", namespace] if namespace else []
    done = subprocess.run(["ip", *where, "-batch", "-"], input="\n".join(lines), capture_output=True, text=True)
    assert done.returncode == 0, f"{done.stderr} in {lines}"


def sysctl(namespace: str, **values: object) -> None:
    """Set what is under /proc/sys/net, its folders divided by ``__``."""
    with inside(namespace):
        for name, value in values.items():
            Path("/proc/sys/net", *name.split("__")).write_text(str(value))


def inode(name: str) -> int:
    """Which one it is."""
    return os.stat(f"/run/netns/{name}").st_ino
