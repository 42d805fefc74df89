"""What can go wrong in the cloud itself. These cross from service to service as what they are."""

from __future__ import annotations


class CloudError(Exception):
    """Its arguments are plain values, so that it can travel."""


class NotFound(CloudError):
    """There is no such thing."""

    def __init__(self, what: str, key: str) -> None:
        super().__init__(what, key)
        self.what, self.key = what, key

    def __str__(self) -> str:
        return f"no {self.what} {self.key!r}"


class AlreadyExists(CloudError):
    """A name is taken."""

    def __init__(self, what: str, key: str) -> None:
        super().__init__(what, key)
        self.what, self.key = what, key

    def __str__(self) -> str:
        return f"there is a {self.what} {self.key!r} already"


class InUse(CloudError):
    """It cannot go while something needs it."""

    def __init__(self, what: str, key: str, users: int) -> None:
        super().__init__(what, key, users)
        self.what, self.key, self.users = what, key, users

    def __str__(self) -> str:
        return f"{self.what} {self.key!r} is in use by {self.users} instances"


class NoHost(CloudError):
    """No agent can take the instance."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason

    def __str__(self) -> str:
        return f"no host can take this instance: {self.reason}"


class MachineFailed(CloudError):
    """A machine did not start, or is not where somebody says it is."""

    def __init__(self, uuid: str, reason: str) -> None:
        super().__init__(uuid, reason)
        self.uuid, self.reason = uuid, reason

    def __str__(self) -> str:
        return f"machine {self.uuid}: {self.reason}"


class NotNow(CloudError):
    """What an instance is does not allow what somebody wants of it."""

    def __init__(self, uuid: str, reason: str) -> None:
        super().__init__(uuid, reason)
        self.uuid, self.reason = uuid, reason

    def __str__(self) -> str:
        return f"instance {self.uuid}: {self.reason}"
