"""How fast objects are, side by side with oslo.versionedobjects and with bare msgspec Structs, in one run.

``python -m benchmarks.objects`` measures the same figures of the same payload in three processes by turns, so that
whatever else the machine does falls on all of them, and writes the medians to ``build/bench/objects.json``.
"""
