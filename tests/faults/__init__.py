"""The fault suite: what is promised must hold while something breaks, and each case counts.

``make test-faults`` runs it, three brokers at a time; one case alone is ``python -m pytest tests/faults -k "killed and
nats"``. It needs root, for namespaces and a small file system, and Debian's iproute2, faketime and rabbitmq-server.

A *stage* is a broker and a fleet of real processes round it: two conductors, two agents, two tellers, which open the
database. A *load* sends calls and casts to all of them, and saves objects through the conductors, each under a name
of its own. A case breaks something in the middle of the load, waits until all flows again, and counts.

Nothing is believed of what the framework counts itself: whoever runs a piece of work leaves its name in a file, or in a
row of the database, and these are held against what the sender was told (``counts.py``). All counts go into
``build/faults/report.json``.
"""
