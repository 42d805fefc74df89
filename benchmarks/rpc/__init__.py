"""How fast calls are, side by side with oslo.messaging + oslo.versionedobjects and with bare nats-py, in one run.

``python -m benchmarks.rpc`` starts brokers of its own, gives each contender a process that serves and one that asks,
measures the same loads by turns, so that whatever else the machine does falls on all of them, and writes the medians to
``build/bench/rpc.json``.
"""
