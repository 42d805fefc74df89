"""``midflight metrics``: the fleet's gates, members, pins and data migrations for Prometheus."""

from __future__ import annotations

from midflight.cli.options import ConfigFile, Duration, Wait
from midflight.cli.output import Output
from midflight.cli.place import open_place
from midflight.probes import Probes
from midflight.project import Project
from midflight.signals import Signals
from midflight.supervisor import notify
from midflight.upgrade.aim import Aim
from midflight.upgrade.operator import operating

HALF_AN_HOUR = Duration(1800)


async def metrics(
    *, listen: str | None = None, to: str | None = None, window: Wait = HALF_AN_HOUR, config: ConfigFile = None
) -> int:
    """Write down once how the whole fleet stands, for Prometheus; or serve that until told to stop.

    It needs no database. Each service's own numbers are served by the service: see [metrics] in its configuration.

    Parameters
    ----------
    listen
        HOST:PORT, to serve /metrics and /healthz; else it is printed once.
    to
        The release whose gates are asked; else the newest that is frozen in this copy of the project.
    window
        For how long every look must find the fleet clean for the gate of a soak to pass.
    """
    from midflight.upgrade.exporter import Exporter  # what it stands on is an extra

    out, place = Output(), open_place(config)
    aim = _aim(place.project, to)
    async with operating(place.config, place.project) as operator:
        exporter = Exporter(operator.fleet, aim, window)
        if listen is None:
            answer = await exporter.exposition()
            out.text(answer.body.decode().rstrip("\n"))
            return 0
        await _serve(Probes(listen, exporter.pages, "command line", "--listen"), out)
    return 0


def _aim(project: Project, to: str | None) -> Aim | None:
    if to is not None:
        return Aim.of(project, to)
    return Aim.latest(project) if project.releases else None


async def _serve(probes: Probes, out: Output) -> None:
    with Signals() as told:
        await probes.open()
        try:
            told.is_ready(lambda: None)
            out.mark("ready", f"http://{probes.address}/metrics")
            notify("READY=1")
            await told.stop.wait()
            notify("STOPPING=1")
        finally:
            await probes.close()
