"""A fleet upgrades from juno to kilo to liberty while it works: ``make demo``, or ``python -m demo`` in here.

What happens: a miniature cloud of real processes (2 APIs on one port, 1 scheduler, 2 conductors, 4 agents, 200
instances, each a process that counts) is upgraded from the release in ``juno/`` to the one in ``kilo/``, and then to
the one in ``liberty/``, process by process, by midflight's own commands, while a client asks about 30 things a second
of it. At the end an observer that knows nothing of midflight computes, from raw logs, files and rows, whether any
user of the cloud could have noticed.

    python -m demo                                  the whole run; at most 150 s on 2 cores
    DB=postgresql python -m demo                    the same, with the rows in a PostgreSQL of its own
    BREAK=wrongpin|kill|lose|stale python -m demo   the same with a fault, which turns its figure non-zero
    python -m demo --instances 24 --agents 2 --requests 300 --rate 15 --workers 4 --soak 3     a small one

It exits 0 when nothing was noticed, 3 when a figure is not as promised (each is named), 64 for a wrong argument. The
report is ``build/demo/report.json``; everything it is computed from stays in ``build/demo/run`` until the next run.

Reading order: ``road`` and ``hop`` (the steps), ``moves`` (the rows and their home), ``stage`` (what is set up for
them), ``fleet`` (the processes), ``traffic`` (the load), ``observer`` (the figures), ``changes`` (was anything
lost?), ``breaks`` (the faults).
"""
