"""What each member of a project may do at the broker: only what its interfaces need.

The rights follow from the code: a service takes the work of the interfaces that it serves, and may send to those of
which at least one endpoint allows it (``allow=``).
"""

from __future__ import annotations

from collections.abc import Iterable

from midflight.conductor.contract import contract_of
from midflight.conductor.interface import ConductorAPI, MemberAPI
from midflight.errors import UsageError
from midflight.project import Project
from midflight.rpc.interface import InterfaceSpec
from midflight.rpc.rights import CONDUCTOR, GUEST, OPERATOR
from midflight.spelling import meant
from midflight.transports.base import Identity
from midflight.transports.grants import Grant


class Grants:
    """The grants of one project."""

    def __init__(self, project: Project) -> None:
        self._project, self._interfaces = project, contract_of(project).interfaces

    def of(self, members: Iterable[Identity]) -> list[Grant]:
        """One for each. Raises UsageError for a service that the project does not have."""
        return [self._of(member) for member in members]

    def _of(self, member: Identity) -> Grant:
        service = member.service
        if service not in (known := self._project.roles.names):
            raise UsageError(
                reason=f"{member} is of no service of the project; it has {', '.join(known)}{meant(service, known)}"
            )
        serves, calls = self._served_by(service), self._called_by(service)
        is_member, steers = service not in (OPERATOR, GUEST), self._project.roles.admit([CONDUCTOR], service)
        callers = [other for other in known if {*self._called_by(other)} & {*serves}]
        callees = [other for other in known if {*self._served_by(other)} & {*calls}]
        return Grant(
            member,
            serves=serves,
            calls=calls,
            tells=(*calls, *([MemberAPI.topic] if steers else [])) if is_member else calls,
            peers=tuple(dict.fromkeys([CONDUCTOR, *callers, *callees])),
            is_member=is_member,
            keeps=service in (CONDUCTOR, OPERATOR),
            replays=self._topics if service == OPERATOR else (),
        )

    @property
    def _topics(self) -> tuple[str, ...]:
        return tuple(topic for topic in sorted(self._interfaces) if topic != MemberAPI.topic)

    def _served_by(self, service: str) -> tuple[str, ...]:
        if service == CONDUCTOR:
            return (ConductorAPI.topic,)
        return () if service in (OPERATOR, GUEST) else self._project.topics_of(service)

    def _called_by(self, service: str) -> tuple[str, ...]:
        return tuple(topic for topic in self._topics if self._admits(self._interfaces[topic], service))

    def _admits(self, interface: InterfaceSpec, service: str) -> bool:
        return any(self._project.roles.admit(spec.allow, service) for spec in interface.endpoints.values())
