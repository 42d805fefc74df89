"""A house falls asleep, is woken by whoever wants it, plays music, and is upgraded meanwhile: ``make demo APP=house``,
or, as root, ``python -m demo`` in here.

What happens, on this machine alone, in network namespaces of its own: an always-on box with a broker, a conductor, a
watcher and the page; three machines, each with its own agent, which fall asleep when nobody needs them; and a visitor
who knows nothing of that and asks for a page with curl. A station plays two tunes, and three rooms hear what they are
patched to, each by a PulseAudio of its own and an agent beside it; one room is at a machine that sleeps, and is woken
for its music. Then all services are upgraded from release alder to the next one, while music plays, and one machine
sleeps from before the first step until after the last.

Two things are not real. What suspends a machine: its programs stand still, its interface goes down, and its network
card looks for the magic packet. And sound cards: they are pipes, drained at a card's pace, and what they play is
recorded.

    python -m demo              all of it; about 90 s on 2 cores that have nothing else to do
    python -m demo --short      two machines, two rooms, and no upgrade

It exits 0 when nobody waited in vain, no machine was woken for nothing, and each room played what it should, also
through the upgrade; 3 when a figure is not as promised (each is named), 64 for a wrong argument or without root, 130
when it was interrupted. The report is ``build/demo/house.json``.

Reading order: ``story`` and ``music`` (what happens), ``stage`` and ``band`` (what is set up for it, and taken down
again), ``figures`` (was it as promised?). The network is the tests' own, ``tests/lab`` and ``tests/sound/lab``.
"""
