"""What goes on in a fleet while things happen to its members."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from midflight.errors import NotDelivered, Unknown
from midflight.testing.traffic import Traffic

UNKNOWN = Unknown(what="a call", reason="it vanished")
NOT_DELIVERED = NotDelivered(what="a call", reason="nobody listens")


class Work:
    """Each piece waits until it is let go on, and raises what it is given."""

    def __init__(self) -> None:
        self.begun, self.ends = threading.Semaphore(0), threading.Semaphore(0)
        self.raises: BaseException | None = None

    def __call__(self) -> None:
        self.begun.release()
        self.ends.acquire()
        if self.raises:
            raise self.raises


@pytest.fixture
def work() -> Iterator[Work]:
    work = Work()
    yield work
    work.ends.release(1000)


def test_work_is_done_until_it_is_stopped(work: Work) -> None:
    """And what was begun is waited for."""
    work.ends.release(50)
    traffic = Traffic(work)
    for _ in range(50):
        work.begun.acquire()
    work.ends.release(1000)
    traffic.stop()
    assert traffic.done >= 50
    assert traffic.failure is None


@pytest.mark.parametrize("lost", [UNKNOWN, NOT_DELIVERED])
def test_what_a_kill_may_cost_is_no_failure(work: Work, lost: Exception) -> None:
    """Whether it began before the kill or in it; what comes afterwards is done as before."""
    traffic = Traffic(work)
    work.begun.acquire()  # before it
    work.raises = lost
    with traffic.kill():
        work.ends.release()
        work.begun.acquire()  # in it
    work.ends.release()
    work.begun.acquire()
    work.raises = None
    work.ends.release(1000)
    traffic.stop()
    assert traffic.failure is None
    assert traffic.done > 0


@pytest.mark.parametrize("wrong", [UNKNOWN, NOT_DELIVERED, AssertionError("lost"), pytest.fail.Exception("lost")])
def test_whatever_is_lost_without_a_kill_is_a_failure(work: Work, wrong: BaseException) -> None:
    """It ends the work, and is kept."""
    traffic = Traffic(work)
    with traffic.kill():
        pass
    work.begun.acquire()
    work.ends.release()  # this one began before the kill, or in it
    work.begun.acquire()
    work.raises = wrong
    work.ends.release()
    traffic.stop()
    assert traffic.failure is wrong


def test_a_wrong_answer_is_a_failure_in_a_kill_too(work: Work) -> None:
    """Only an answer that stays out is forgiven."""
    traffic = Traffic(work)
    work.begun.acquire()
    work.raises = AssertionError("lost")
    with traffic.kill():
        work.ends.release()
        traffic._thread.join()
    assert traffic.failure is work.raises
