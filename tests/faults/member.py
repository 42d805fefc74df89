"""``midflight``, but what a process that vanished had in hand comes again after twelve seconds and not after thirty:
how long that takes is the broker's to know, and no case is about it. ``python -m tests.faults.member run SERVICE …``.
"""

from __future__ import annotations

import sys

from midflight.cli import main
from midflight.transports.amqp import AmqpTransport
from midflight.transports.nats import NatsTransport

ACK_SECONDS = 12.0
"""Longer than anybody is frozen, or cut off, so that nobody looks dead who is not."""


def run() -> int:
    """The command."""
    for transport in (NatsTransport, AmqpTransport):
        assert transport.__init__.__kwdefaults__
        transport.__init__.__kwdefaults__["ack_wait"] = ACK_SECONDS
    return main()


if __name__ == "__main__":
    sys.exit(run())
