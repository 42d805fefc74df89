"""What things of the house may be called."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

Name = Annotated[str, Meta(pattern=r"^[A-Za-z0-9]([A-Za-z0-9_-]{0,61}[A-Za-z0-9])?\Z")]
"""Of a machine, which is the host of its agents too; of a stream, a room or a group. (Behind a $ may be a line end.)"""
Port = Annotated[int, Meta(ge=1, le=65_535)]
ALL = "all"
"""Every room of the house. No room or group has this name."""
