"""From one process to the next: systemd keeps the packet sockets meanwhile (its file descriptor store), so that what is
heard between the two waits in them."""

from __future__ import annotations

import os
import socket
from collections.abc import Sequence

import structlog

_STORE = b"FDSTORE=1\nFDNAME=house\nFDPOLL=0"
log = structlog.get_logger("watcher")


def store(sockets: Sequence[socket.socket]) -> None:
    """Have them kept: sd_notify(3). One that is kept already is kept once. Without systemd, nothing is kept, and
    whoever asks while no watcher runs has to ask once more."""
    address = os.environ.get("NOTIFY_SOCKET", "")
    if not address or not sockets:
        return
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as systemd:
            systemd.connect("\0" + address[1:] if address.startswith("@") else address)
            socket.send_fds(systemd, [_STORE], [each.fileno() for each in sockets])
    except OSError as wrong:
        log.warning("watcher.sockets_not_kept", reason=str(wrong))
