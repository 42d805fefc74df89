from datetime import UTC, datetime
from pathlib import Path

import pytest

from house.sleeper.checks.calendar import Calendar
from house.sleeper.system import Unclear
from tests.sleeper.machine import FakeMachine

WORK = """BEGIN:VCALENDAR
VERSION:2.0
PRODID:-//house//tests//EN
BEGIN:VEVENT
UID:1
SUMMARY:Work at the desk
DTSTART;TZID=Europe/Berlin:20260302T090000
DTEND;TZID=Europe/Berlin:20260302T130500
RRULE:FREQ=WEEKLY;BYDAY=MO,TU
EXDATE;TZID=Europe/Berlin:20260303T090000
END:VEVENT
BEGIN:VEVENT
UID:2
SUMMARY:Holidays
DTSTART;VALUE=DATE:20260302
DTEND;VALUE=DATE:20260304
END:VEVENT
END:VCALENDAR
"""


@pytest.fixture
def ics(tmp_path: Path) -> Path:
    file = tmp_path / "work.ics"
    file.write_text(WORK.replace("\n", "\r\n"))
    return file


async def test_an_event_is_busy_while_it_lasts(ics: Path, machine: FakeMachine) -> None:
    """In its own zone and by its repetitions; its end is no part of it."""
    calendar = Calendar(str(ics), summary="work")
    assert await calendar.look(machine.system) == "Work at the desk until 12:05 UTC, says the calendar"
    machine.clock.pass_(minutes=5)
    assert await calendar.look(machine.system) is None
    assert await Calendar(str(ics)).look(machine.system) is not None


async def test_the_next_event_can_wake(ics: Path, machine: FakeMachine) -> None:
    """The one that was called off is passed over; and only where it is wanted."""
    assert await Calendar(str(ics), "work").next_need(machine.system) is None
    needed = await Calendar(str(ics), "work", wakes=True).next_need(machine.system)
    assert needed == datetime(2026, 3, 9, 8, tzinfo=UTC)


async def test_a_calendar_is_read_again_after_a_while(ics: Path, machine: FakeMachine) -> None:
    """Not at each look."""
    calendar = Calendar(str(ics), "work")
    await calendar.look(machine.system)
    ics.write_text(WORK.replace("130500", "140000"))
    machine.clock.pass_(minutes=14)
    assert await calendar.look(machine.system) is None
    machine.clock.pass_(minutes=1)
    assert await calendar.look(machine.system) == "Work at the desk until 13:00 UTC, says the calendar"


@pytest.mark.parametrize(
    ("ics", "reason"),
    [("/nowhere.ics", "No such file"), ("http://127.0.0.1:1/x.ics", "refused"), (__file__, "is no calendar")],
)
async def test_a_calendar_that_cannot_be_read_is_unclear(ics: str, reason: str, machine: FakeMachine) -> None:
    """A file, an address, and something that is no calendar: each is named."""
    with pytest.raises(Unclear, match=reason) as unclear:
        await Calendar(ics).look(machine.system)
    assert ics in str(unclear.value)
