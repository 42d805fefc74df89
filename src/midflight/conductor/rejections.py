"""Rejected versions on their way into the journal, reported by who sent what could not be served."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from midflight import telemetry
from midflight.conductor.interface import MemberAPI
from midflight.context import Caller, Context, Messenger
from midflight.errors import InvalidValue, VersionRejected
from midflight.rpc.client import Client
from midflight.rpc.rejected import KNOWN, cut, facts_of, reported

TOLD_SECONDS = 2.0
MOST_TOLD = 100
"""So many rejections fit into one beat; the next beat, which follows at once, tells the next of them."""

Report = Callable[[dict[str, str]], None]


class ReportingMessenger:
    """A messenger that reports each call of this member's own that was rejected. The error is raised all the same."""

    def __init__(self, inner: Messenger, identity: Caller, report: Report) -> None:
        self._inner, self._identity, self._report = inner, identity, report

    async def call(
        self, endpoint: Any, host: str | None, context: Context, arguments: Mapping[str, Any], timeout: float | None
    ) -> Any:
        """See rpc.client."""
        try:
            return await self._inner.call(endpoint, host, context, arguments, timeout)
        except VersionRejected as rejected:
            if rejected.sender == str(self._identity):  # else it was a call that our callee made
                self._report(facts_of(rejected, _with_epoch(self._identity, rejected), _receiver(rejected)))
            raise

    async def cast(self, endpoint: Any, host: str | None, context: Context, arguments: Mapping[str, Any]) -> None:
        """See rpc.client. That a cast was rejected is told later, to MemberAPI.rejected."""
        await self._inner.cast(endpoint, host, context, arguments)

    async def fanout(self, endpoint: Any, context: Context, arguments: Mapping[str, Any]) -> None:
        """See rpc.client."""
        await self._inner.fanout(endpoint, context, arguments)

    def supports(self, endpoint: Any, parameter: str | None, host: str | None) -> bool:
        """See rpc.client."""
        return self._inner.supports(endpoint, parameter, host)


def _with_epoch(identity: Caller, rejected: VersionRejected) -> Caller:
    return Caller(identity.service, identity.host, identity.release, identity.member, rejected.pin_epoch)


def _receiver(rejected: VersionRejected) -> Caller:
    """The callee, as far as ``service@host (release)`` says who it is."""
    place, _, release = rejected.callee.partition(" (")
    service, _, host = place.partition("@")
    return Caller(service, host, release.removesuffix(")"), "", 0)


def told_in_a_beat(reports: Sequence[Mapping[str, str]]) -> list[dict[str, str]]:
    """What goes into the journal of what a member reports. A report that tells nobody anything is counted and passed
    over: the beat that brought it is a sign of life all the same."""
    return [facts for report in reports[:MOST_TOLD] if (facts := _checked(report))]


def _checked(report: Mapping[str, str]) -> dict[str, str] | None:
    try:
        return reported(report)
    except InvalidValue as wrong:
        telemetry.count("fleet.reports_refused")
        telemetry.log.warning("fleet.report_refused", reason=str(wrong))
        return None


def decided(facts: Mapping[str, str]) -> dict[str, str]:
    """What goes into the journal of a parked message about which an operator has decided: the known facts, each cut."""
    return {name: cut(facts[name]) for name in ("message_id", "address", "error", "order", *KNOWN) if name in facts}


class SenderTeller:
    """Tells the member that sent a cast why it was parked; rpc's ``on_rejected``. Best effort."""

    def __init__(self, new_context: Callable[[], Context]) -> None:
        self._new_context, self._members = new_context, Client(MemberAPI).within(TOLD_SECONDS)

    async def __call__(self, facts: dict[str, str], member: str) -> None:
        if member:
            await self._members.on(member).call(MemberAPI.rejected, self._new_context(), facts)
