"""A process that runs one service until it is told to stop: what a supervisor and an operator see of it."""

from __future__ import annotations

import asyncio
import gc
import os
import time

from midflight import telemetry
from midflight.config import Config
from midflight.project import Project
from midflight.service import RunningService
from midflight.signals import Signals
from midflight.supervisor import notify, passed_sockets, watchdog_seconds, watched
from midflight.watchdog import Watchdog


async def run_service(project: Project, config: Config, service: str, host: str) -> int:
    """Run one service until SIGTERM or SIGINT, which drain it; a second signal ends the process at once. Returns 0.
    SIGHUP reads the configuration file again.

    Raises the error of what keeps it from starting; the error knows its exit code.
    """
    telemetry.configure(level=_log_level(config), service=service, host=host)
    with Signals() as told, Watchdog():
        try:
            sockets, told_each = passed_sockets(os.environ), watchdog_seconds(os.environ)
            async with (
                watched(told_each),
                RunningService.running(project, config, service, host, sockets=sockets) as running,
            ):
                if running.traces is not None:
                    running.traces.share()
                _keep_what_is_there()
                told.is_ready(lambda: _reload(running))
                notify("READY=1")
                await _first_of(told.stop, running.membership.refused)
                notify("STOPPING=1")
        except asyncio.CancelledError:
            if not told.stop.is_set():
                raise
            return 0
    if running.membership.refusal is not None:
        raise running.membership.refusal
    return 0


def _keep_what_is_there() -> None:
    """What a service is made of stays until its end. The garbage collector need not look through it again and again:
    some hundred thousand objects hold up all work for several milliseconds."""
    gc.collect()
    gc.freeze()


def _log_level(config: Config) -> str:
    return os.environ.get("MIDFLIGHT_LOG", config.log)


def _reload(running: RunningService) -> None:
    notify(f"RELOADING=1\nMONOTONIC_USEC={time.monotonic_ns() // 1000}")
    running.reload()
    telemetry.configure(level=_log_level(running.config))
    notify("READY=1")


async def _first_of(*events: asyncio.Event) -> None:
    waiting = {asyncio.create_task(event.wait()) for event in events}
    try:
        await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in waiting:
            task.cancel()
