"""All of it together: real processes, a real broker, a real database."""

from conftest import Fleet


def test_a_job_is_done(fleet: Fleet) -> None:
    """A guest asks, the dispatcher tells a worker, the worker has its conductor write down what came of it."""
    added = fleet.ask("add", "good", "morning")
    assert added.code == 0, added.out
    number = added.out.split()[1]
    done = f"{number}  done  GOOD MORNING"
    fleet.until(lambda: done in fleet.ask("list").out.splitlines(), done)


def test_everybody_has_a_place_in_the_fleet(fleet: Fleet) -> None:
    """The commands see who is there, and what each of them runs."""
    listed = fleet.midflight("fleet", "list")
    assert listed.code == 0, listed.out
    members = sorted(line.split()[:2] for line in listed.out.splitlines()[1:-1])
    assert members == [["conductor", "c1"], ["dispatcher", "d1"], ["worker", "w1"], ["worker", "w2"]]
