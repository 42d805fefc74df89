"""What the help page of each command ends with: how it is typed, and when."""

from __future__ import annotations

EXAMPLES: dict[str, dict[str, str]] = {
    "init": {"init bakery": "a new project, in the folder bakery"},
    "doctor": {"doctor": "here", "doctor --json --config operator.toml": "as an operator, for a machine"},
    "completion": {
        "completion bash > ~/.local/share/bash-completion/completions/midflight": "for every new shell",
    },
    "run": {
        "run conductor": "on a host that has the database",
        "run compute --host n7": "an agent, under a name of its own",
    },
    "db revision": {
        "db revision --autogenerate -m 'who locked it'": "what the code's tables have, and the schema has not",
    },
    "db lint": {
        "db lint": "with a server that is started for it",
        "db lint --scratch postgresql://me@localhost/scratch": "in CI, on one that is there",
    },
    "db expand": {"db expand --dry-run": "what it would do, as SQL", "db expand": "step 1 of an upgrade"},
    "db sync": {"db sync": "step 1 of an upgrade"},
    "db status": {"db status": "exits 1 where db expand has something to do"},
    "db history": {"db history": "all of it", "db history --json": "for a machine"},
    "db facts": {"db facts --write": "in production; commit what it writes, so that lint knows how large tables are"},
    "db contract": {
        "db contract": "what is next, and what speaks against it",
        "db contract --hold": "hide it, for a day; --undo brings it back, --purge lets it go",
    },
    "data run": {"data run": "all of them, here, until nothing is left", "data run flavors -n 10": "ten rows, to try"},
    "data list": {"data list": "how far each is"},
    "data show": {"data show flavors": "also why rows are deferred, and which have failed"},
    "data retry": {"data retry flavors": "when the row function, or the rows, are mended"},
    "data prove": {"data prove flavors": "all rows, while everybody works"},
    "data compare": {"data compare flavors": "a thousand rows at random", "data compare flavors --all": "every row"},
    "data start": {"data start flavors": "the conductors do it, one at a time"},
    "data pause": {"data pause flavors": "both forms are kept meanwhile"},
    "data resume": {"data resume flavors": "where it was"},
    "data cancel": {"data cancel flavors": "rows that are moved stay so"},
    "data pace": {"data pace": "how it is", "data pace --duty 0.1": "a tenth of the time, from the next chunk on"},
    "data brake": {"data brake": "at once, whoever migrates", "data brake --release": "when it is over"},
    "pin set": {
        "pin set juno": "step 2: everybody speaks so that juno understands",
        "pin set juno --topic compute": "only what is said to compute",
    },
    "pin clear": {"pin clear": "step 6: everybody understands the new release"},
    "pin show": {"pin show": "and who holds the wire down where nothing is pinned"},
    "fleet list": {"fleet list": "everybody", "fleet list --json | jq '.members[].host'": "for a script"},
    "fleet show": {"fleet show compute@n7": "what one says and understands"},
    "fleet drain": {"fleet drain n7": "before n7 is switched off", "fleet drain n7 --undo": "it may work again"},
    "fleet retire": {"fleet retire compute@n7": "it burnt down, and holds the upgrade up no more"},
    "parked list": {"parked list": "what nobody could serve, and why"},
    "parked show": {"parked show 5a5a-stop": "one of them"},
    "parked replay": {"parked replay 5a5a-stop": "now somebody understands it"},
    "parked discard": {"parked discard 5a5a-stop": "it is never to run"},
    "metrics": {
        "metrics": "once, to standard output",
        "metrics --listen 127.0.0.1:9465": "for Prometheus, for good",
    },
    "upgrade plan": {"upgrade plan kilo": "step 0: the road, and whether it may be entered"},
    "upgrade rehearse": {
        "upgrade rehearse --from juno --to kilo": "juno is a tag of this repository",
        "upgrade rehearse --from juno=../juno --to kilo --data copy.dump": "on a copy of production's database",
    },
    "upgrade status": {"upgrade status": "where the fleet is, and what the next gate says"},
    "upgrade check": {
        "upgrade check roll": "may one more agent be upgraded?",
        "upgrade check soak --wait 30m": "is the fleet clean for half an hour?",
    },
    "upgrade why": {"upgrade why": "the fewest things to do, and how it came to be"},
    "upgrade ack": {
        "upgrade ack lost:compute@n7 --reason 'it is repaired' --expires 3d": "its name as `upgrade why` says it",
        "upgrade ack lost:compute@n7 --withdraw": "no longer",
    },
    "upgrade finalize": {
        "upgrade finalize": "step 8: says what cannot be undone, and asks",
        "upgrade finalize --yes": "in a pipeline, behind a person's word",
    },
    "upgrade journal": {
        "upgrade journal pin gate --since 2d": "of these kinds, lately",
        "upgrade journal --about compute@n7 --follow": "of one member, as it happens",
    },
    "console": {"console": "on this machine", "console --listen 127.0.0.1:8800": "behind a proxy"},
    "console token": {"console token ada": "prints it once"},
    "broker config": {"broker config members.toml > rights.conf": "then nats-server includes it"},
    "broker secret": {"broker secret n7.seed": "on n7, for n7; what it prints goes into members.toml"},
    "documents": {"documents > midflight.schema.json": "JSON Schema, for who reads --json"},
    "release check": {
        "release check": "before each merge",
        "release check kilo.1": "of a fix, before it is frozen",
    },
    "release freeze": {"release freeze kilo": "when its code is done, before it is deployed"},
    "release diff": {"release diff juno kilo": "what a reviewer reads", "release diff kilo": "from kilo to this code"},
    "release list": {"release list": "oldest first"},
    "release retire": {"release retire juno": "which marks in the code may go"},
}
"""Command → what is typed after ``midflight`` → what that is for. Within a noun, the order is that of the work."""

FIRST = {
    "init bakery": "a new project, which runs at once",
    "doctor": "what is wrong here, and how to mend it",
    "upgrade status": "where the fleet is, and what comes next",
    "upgrade check --help": "as every command, with examples",
}
"""The same for whoever asks for help and names no command."""


def lines_of(command: str) -> str:
    """The examples of a command, as its help page shows them, where Markdown takes them for code: none for a noun, and
    the first ones where no command is named."""
    found = EXAMPLES.get(command, {}) if command else FIRST
    width = max((len(typed) for typed in found), default=0)
    return "\n".join(f"    midflight {typed.ljust(width)}  # {why}" for typed, why in found.items())
