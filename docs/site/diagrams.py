"""`make diagrams`: draw the diagrams of the documents into docs/pictures, as SVG.

What a diagram says of the code is taken from the code: the steps of an upgrade, the write forms and their arrows. Each
has a ground of its own, so that it can be read by day and by night.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from html import escape
from pathlib import Path

from midflight.db.write_form import Form
from midflight.upgrade.plan import STEPS

PICTURES = Path(__file__).parents[1] / "pictures"
STYLE = """
text { font: 15px system-ui, sans-serif; fill: #1f2328 } .small { font-size: 13px } .strong { font-weight: 600 }
.dim { fill: #59636e } .red { fill: #a40e26 } rect, path { fill: none; stroke: #59636e; stroke-width: 1.5 }
.ground { fill: #fcfcfa; stroke: #d8dbdf } .plain { fill: #ffffff } .juno { fill: #fbe7c6; stroke: #9a6700 }
.kilo { fill: #d5e8f8; stroke: #0b5394 } .both { fill: url(#both); stroke: #59636e }
.good { fill: #dcf1df; stroke: #1a7f37 } .end { fill: #f9dcdc; stroke: #a40e26 }
.lost { fill: #f0f0ee; stroke-dasharray: 5 4 }
.way { marker-end: url(#tip) } .dashed { stroke-dasharray: 5 4 }
"""
DEFINITIONS = """<defs>
<marker id="tip" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" orient="auto-start-reverse">
<path d="M0 0 8 4 0 8z" style="fill:#59636e;stroke:none"/></marker>
<pattern id="both" width="14" height="14" patternUnits="userSpaceOnUse" patternTransform="rotate(45)">
<rect width="7" height="14" style="fill:#fbe7c6;stroke:none"/>
<rect x="7" width="7" height="14" style="fill:#d5e8f8;stroke:none"/></pattern>
</defs>"""
LINE = 19
"""Pixels from one line of text to the next."""


class Drawing:
    """Boxes, ways and words on a ground; ``says`` is for whoever cannot see it."""

    def __init__(self, width: int, height: int, says: str) -> None:
        self._size, self._says, self._parts = (width, height), says, list[str]()
        self.rect(0.5, 0.5, width - 1, height - 1, "ground", 8)

    def rect(self, x: float, y: float, width: float, height: float, kind: str, round_: int = 4) -> None:
        """A rectangle of one of the kinds of the style."""
        place = f'x="{x:g}" y="{y:g}" width="{width:g}" height="{height:g}" rx="{round_}"'
        self._parts.append(f'<rect class="{kind}" {place}/>')

    def words(self, x: float, y: float, *lines: str, kind: str = "", anchor: str = "middle") -> None:
        """Lines of text, whose first one's middle is at ``y``."""
        for number, line in enumerate(lines):
            place = f'x="{x:g}" y="{y + 5 + LINE * number:g}" text-anchor="{anchor}"'
            self._parts.append(f'<text class="{kind}" {place}>{escape(line)}</text>')

    def note(self, x: float, y: float, *lines: str) -> None:
        """A remark, from ``x`` on."""
        self.words(x, y, *lines, kind="small dim", anchor="start")

    def box(self, x: float, y: float, width: float, height: float, *lines: str, kind: str = "plain") -> None:
        """A box with lines in its middle, of which the first is a name."""
        self.rect(x, y, width, height, kind)
        top = y + height / 2 - LINE * (len(lines) - 1) / 2
        self.words(x + width / 2, top, *lines[:1], kind="strong")
        self.words(x + width / 2, top + LINE, *lines[1:], kind="small")

    def way(self, path: str, kind: str = "") -> None:
        """An arrow along an SVG path."""
        self._parts.append(f'<path class="way {kind}" d="{path}"/>')

    def __str__(self) -> str:
        width, height = self._size
        head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" role="img"'
        title = f"<title>{escape(self._says)}</title>"
        return "\n".join([f"{head}>{title}<style>{STYLE}</style>", DEFINITIONS, *self._parts, "</svg>\n"])


def fleet() -> Drawing:
    """A fleet in the middle of an upgrade."""
    made = Drawing(760, 440, "A fleet in step 5: control services are kilo, agents juno and kilo, the pin is juno")
    made.words(24, 28, "Step 5: one agent after the other", kind="strong", anchor="start")
    made.box(24, 70, 172, 76, "database", "store floor: juno", "both forms are written")
    for x, name in ((262, "conductor c1"), (422, "conductor c2"), (582, "api web-1")):
        made.box(x, 76, 138, 64, name, "runs kilo", kind="kilo")
    made.way("M262 108 H200")
    made.words(231, 96, "rows", kind="small dim")
    made.rect(24, 200, 712, 40, "juno")
    made.words(380, 220, "the broker, and the pin: everybody says what juno understands", kind="strong")
    agents = (("n1", "runs kilo", "kilo"), ("n2", "runs kilo", "kilo"), ("n3", "runs juno", "juno"),
              ("n4", "runs juno", "juno"), ("n5", "lost, ran juno", "lost"))  # fmt: skip
    for number, (name, runs, kind) in enumerate(agents):
        made.box(24 + number * 145, 330, 132, 64, f"compute {name}", runs, kind=kind)
    made.way("M651 140 V196")
    made.note(660, 170, "a call")
    made.way("M380 244 V326")
    made.note(390, 274, "in juno's version: what is new stays out,", "or is refused at the sender")
    made.way("M90 326 V244")
    made.note(100, 284, "a save, of what has changed")
    made.way("M331 196 V144")
    made.note(340, 170, "a remotable, answered in the caller's version")
    made.note(24, 418, "n5 counts until it is back or retired: it may live on behind a broken network.")
    return made


LANES: tuple[tuple[str, tuple[tuple[int, int, str, str], ...]], ...] = (
    ("schema", ((0, 1, "juno", "old"), (1, 9, "both", "expanded: the old release works on"))),
    ("control", ((0, 3, "juno", "old"), (3, 4, "both", "one by one"), (4, 9, "kilo", "new"))),
    ("agents", ((0, 5, "juno", "old"), (5, 6, "both", "one by one"), (6, 9, "kilo", "new"))),
    ("wire floor", ((0, 2, "juno", "auto"), (2, 6, "juno", "pinned to the old release"), (6, 9, "kilo", "new"))),
    ("write form", ((0, 3, "juno", Form.OLD), (3, 8, "both", Form.BOTH_READ_OLD), (8, 9, "kilo", Form.NEW))),
    ("store floor", ((0, 8, "juno", "old"), (8, 9, "kilo", "new"))),
)
"""For each: from which step to before which, whose it is, and the words."""
LEFT, WIDE = 104, 84


def steps() -> Drawing:
    """The road, what is true at each of its steps, and the ways back."""
    made = Drawing(
        LEFT + 9 * WIDE + 16, 400, "Steps 0 to 8 of an upgrade, what holds at each of them, and the ways back"
    )
    for step in STEPS:
        middle = LEFT + (step.number + 0.5) * WIDE
        last = step is STEPS[-1]
        made.box(
            LEFT + step.number * WIDE + 4,
            20,
            WIDE - 8,
            52,
            str(step.number),
            step.name,
            kind="end" if last else "plain",
        )
        if step.number > 1 and not last:  # the schema needs no way back
            made.way(f"M{middle:g} 76 C{middle:g} 104 {middle - WIDE:g} 104 {middle - WIDE:g} 78", "dashed")
        elif last:
            made.words(middle, 92, "no way back", kind="small red")
    made.note(16, 92, "ways back")
    for number, (name, parts) in enumerate(LANES):
        y = 122 + number * 44
        made.words(16, y + 16, name, anchor="start", kind="small strong")
        for first, end, kind, words in parts:
            made.rect(LEFT + first * WIDE + 2, y, (end - first) * WIDE - 4, 32, kind)
            made.words(LEFT + (first + end) * WIDE / 2, y + 16, words, kind="small")
    return made


OUTCOMES = (
    ("NotDelivered", "certainly not executed", "end"),
    ("an answer", "executed, or refused", "good"),
    ("Unknown", "perhaps executed", "juno"),
)
"""With what each means, and its kind."""
COMES_BY = (
    ("the broker does not answer", "nobody listens there", "no turn in time: it is busy"),
    ("the result", "the callee's error", "VersionRejected, NotAllowed:", "it did not run"),
    ("no answer before the deadline", "signs of life stay away", "killed, or cut off"),
)
THEN = (
    ("send it again",),
    ("go on, or see to", "what it says"),
    ("look, then decide;", "idempotent: sent again"),
)


def outcomes() -> Drawing:
    """Where a call can end, and what to do then."""
    made = Drawing(760, 418, "A call ends in an answer, in NotDelivered or in Unknown, never later than its deadline")
    made.box(24, 20, 712, 44, "await client.on(host).call(…)")
    for number, ((name, means, kind), how, then) in enumerate(zip(OUTCOMES, COMES_BY, THEN, strict=True)):
        x = 24 + number * 242
        made.way(f"M{x + 114} 68 V106")
        made.box(x, 110, 228, 60, name, means, kind=kind)
        made.rect(x, 182, 228, 108, "plain")
        made.words(x + 114, 236 - LINE * (len(how) - 1) / 2, *how, kind="small")
        made.way(f"M{x + 114} 294 V322")
        made.rect(x, 326, 228, 60, "plain")
        made.words(x + 114, 356 - LINE * (len(then) - 1) / 2, *then, kind="strong")
    return made


def forms() -> Drawing:
    """The write forms with their arrows, and who may open the database meanwhile."""
    made = Drawing(760, 330, "The four write forms, the arrows between them, and the store floor below")
    at = {form: 24 + 182 * number for number, form in enumerate(Form)}
    kinds = {Form.OLD: "juno", Form.BOTH_READ_OLD: "both", Form.BOTH_READ_NEW: "both", Form.NEW: "kilo"}
    for form, x in at.items():
        written = " and ".join(name for name, said in (("old", form.writes_old), ("new", form.writes_new)) if said)
        made.box(
            x,
            70,
            148,
            84,
            form.value,
            f"writes {written}",
            f"reads {'new' if form.reads_new else 'old'}",
            kind=kinds[form],
        )
        for to in form.arrows:
            y = 100 if at[to] > x else 130
            ends = (x + 148, at[to] - 4) if at[to] > x else (x, at[to] + 152)
            made.way(f"M{ends[0]} {y} H{ends[1]}", "" if at[to] > x else "dashed")
    made.words(300, 34, "finalize: proven, and no old writer left", kind="small")
    made.way("M371 46 V94", "dashed")
    made.words(592, 34, "the one-way door", kind="small red")
    made.way("M553 46 V94", "dashed")
    made.note(24, 186, "who may open the database")
    made.rect(24, 200, 330, 34, "both")
    made.words(189, 217, "juno and kilo", kind="small")
    made.rect(364, 200, 372, 34, "kilo")
    made.words(550, 217, "kilo", kind="small")
    made.note(24, 262, "the truth is")
    made.rect(24, 276, 512, 34, "juno")
    made.words(280, 293, "the old form: the new one follows from it", kind="small")
    made.rect(546, 276, 190, 34, "kilo")
    made.words(641, 293, "the new form", kind="small")
    return made


DIAGRAMS: Sequence[Callable[[], Drawing]] = (fleet, steps, outcomes, forms)


def drawn() -> Iterator[tuple[Path, str]]:
    """Each file, and what belongs into it."""
    for draw in DIAGRAMS:
        yield PICTURES / f"{draw.__name__}.svg", str(draw())


if __name__ == "__main__":
    for path, text in drawn():
        path.write_text(text)
