"""A house falls asleep, is woken by whoever wants it, and is upgraded meanwhile: ``make demo APP=house``, or, as root,
``python -m demo`` in here.

What happens, on this machine alone, in network namespaces of its own: an always-on box with a broker, a conductor, a
watcher and the page; three machines, each with its own agent, which fall asleep when nobody needs them; and a visitor
who knows nothing of that and asks for a page with curl. What suspends a machine is the one thing that is not real: its
programs stand still, its interface goes down, and its network card looks for the magic packet. Then all services are
upgraded from release alder to the next one, and one machine sleeps from before the first step until after the last.

    python -m demo              all of it; at most 90 s on 2 cores
    python -m demo --short      two machines, and no upgrade

It exits 0 when nobody waited in vain and no machine was woken for nothing, 3 when a figure is not as promised (each is
named), 64 for a wrong argument or without root, 130 when it was interrupted. The report is ``build/demo/house.json``.

Reading order: ``story`` (what happens), ``stage`` (what is set up for it, and taken down again), ``figures`` (was it as
promised?). The network is the tests' own, ``tests/lab``.
"""
