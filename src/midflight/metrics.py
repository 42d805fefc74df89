"""Metrics: what a process has counted and timed, in the words and forms of Prometheus.

A counter ``rpc.calls`` of ``telemetry`` is ``midflight_rpc_calls_total`` here, a histogram ``rpc.call_seconds`` is
``midflight_rpc_call_seconds``. Beside them stands what prometheus_client knows of the process, and what an application
has registered there itself.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from midflight import telemetry
from midflight.errors import MissingExtra
from midflight.probes import Answer, Page, Standing, said
from midflight.telemetry import Histogram

try:
    from prometheus_client import REGISTRY
    from prometheus_client.exposition import choose_encoder
    from prometheus_client.metrics_core import (
        CounterMetricFamily,
        GaugeMetricFamily,
        HistogramMetricFamily,
        Metric,
    )
except ModuleNotFoundError:
    raise MissingExtra(module="[metrics] listen", missing="prometheus-client", extra="metrics") from None

F = TypeVar("F")

PREFIX = "midflight_"
OTHERS = "others"
"""The value of every label of what was counted together, after a thousand sets of labels."""


@dataclass(frozen=True)
class Described:
    """What one name of ``telemetry`` means, and by which labels it is kept apart."""

    help: str
    labels: tuple[str, ...] = ()


COUNTERS = {
    "fleet.reports_refused": Described("Reports of rejected versions that said nothing."),
    "log.lost": Described("Lines of the log that could not be written.", ("kind",)),
    "migrations.completed": Described("Rows that a data migration has moved here.", ("migration",)),
    "migrations.deferred_on_save": Described("Saved rows that were not moved yet.", ("migration", "reason")),
    "migrations.failed_on_save": Described("Saved rows whose new form could not be made.", ("migration",)),
    "objects.backport": Described(
        "Objects that were made older, where, and for whom.",
        ("object", "from_version", "to_version", "peer", "where", "lossy"),
    ),
    "rpc.busy": Described("Calls that had no turn under a limit.", ("method",)),
    "rpc.calls": Described("Calls that were sent from here, by what they ended in.", ("method", "outcome")),
    "rpc.casts": Described("Casts that were sent from here, and that the broker has.", ("method",)),
    "rpc.expired": Described("Casts that were worth nothing any more when they came.", ("method",)),
    "rpc.fanouts": Described("Fanouts that were sent from here.", ("method",)),
    "rpc.held_back": Described("Casts that were parked behind an earlier one of their ordering key.", ("method",)),
    "rpc.interrupted": Described("Casts that a killed process had begun.", ("method",)),
    "rpc.parked": Described("Casts that were parked, until somebody decides.", ("method",)),
    "rpc.parked_ran": Described("Parked casts that have run.", ("method",)),
    "rpc.refused": Described(
        "Requests that could not be served, by the kind of error; NeedManifest is a first contact.", ("kind",)
    ),
    "rpc.rejected": Described("Requests in a version that is not served, by who sent them.", ("sender", "method")),
    "rpc.repeats_dropped": Described("Requests that came again and were not run again.", ("method",)),
    "service.loop_blocked": Described("How often the event loop answered late."),
    "transport.answer_lost": Described("Answers that could not be brought back to who asked.", ("kind",)),
    "transport.bodies_gone": Described("Casts whose body is not at the broker any more."),
    "transport.broker_error": Described("Errors that the broker told.", ("kind",)),
    "transport.calls_cancelled": Described("Calls that nobody waited for any more.", ("topic",)),
    "transport.disconnected": Described("How often the connection to the broker was lost."),
    "transport.duplicates": Described("Casts that the broker delivered twice."),
    "transport.handler_failed": Described("Messages whose handler raised.", ("kind", "topic")),
    "transport.message_failed": Described("Messages that could not be taken.", ("kind",)),
    "transport.refused": Described("Messages that are none of ours.", ("kind",)),
}

HISTOGRAMS = {
    "rpc.call_seconds": Described(
        "How long calls took that were sent from here.", ("interface", "method", "outcome")
    ),
}  # fmt: skip

GAUGES = {
    "service.info": Described("One for each service in this process.", ("service", "host", "release", "member")),
    "service.ready": Described("Whether it takes work.", ("member",)),
    "service.epoch": Described("The epoch of pins and write forms that it obeys.", ("member",)),
}


def gauge(name: str, described: Described, samples: Iterable[tuple[Mapping[str, str], float]]) -> Metric:
    """One gauge, with all that is known of it."""
    family = GaugeMetricFamily(_named(name), described.help, labels=described.labels)
    for labels, value in samples:
        family.add_metric(_values(described, labels), value)
    return family


@dataclass(frozen=True)
class Process:
    """What one process has to say, taken at one moment: a collector as prometheus_client knows them."""

    counted: list[dict[str, Any]]
    measured: list[tuple[str, dict[str, str], Histogram]]
    standing: Standing

    @classmethod
    def now(cls, standing: Standing) -> Process:
        """A copy that no later count changes, so that it may be written out in another thread."""
        return cls(telemetry.counted(), telemetry.measured(), standing)

    def collect(self) -> Iterable[Metric]:
        """All of it, and what is in prometheus_client's own registry."""
        yield from self._gauges()
        yield from self._counters()
        yield from self._histograms()
        yield from REGISTRY.collect()

    def _gauges(self) -> Iterable[Metric]:
        here, member = self.standing, {"member": self.standing.member}
        who = {"service": here.service, "host": here.host, "release": here.release, **member}
        yield gauge("service.info", GAUGES["service.info"], [(who, 1)])
        yield gauge("service.ready", GAUGES["service.ready"], [(member, here.state == "ready")])
        yield gauge("service.epoch", GAUGES["service.epoch"], [(member, here.epoch)])

    def _counters(self) -> Iterable[Metric]:
        families = _families(CounterMetricFamily, COUNTERS)
        for entry in self.counted:
            if (name := entry["name"]) in families:  # others are for the log
                families[name].add_metric(_values(COUNTERS[name], entry), entry["value"])
        for name, family in families.items():
            if not (family.samples or COUNTERS[name].labels):  # else its first count would not look like an increase
                family.add_metric((), 0)
        return families.values()

    def _histograms(self) -> Iterable[Metric]:
        families = _families(HistogramMetricFamily, HISTOGRAMS)
        for name, labels, found in self.measured:
            families[name].add_metric(_values(HISTOGRAMS[name], labels), _buckets(found), found.total)
        return families.values()


def _families(kind: Callable[..., F], described: Mapping[str, Described]) -> dict[str, F]:
    return {name: kind(_named(name), each.help, labels=each.labels) for name, each in described.items()}


def _buckets(found: Histogram) -> list[tuple[str, float]]:
    """Each with all that were shorter, as Prometheus wants it."""
    so_far, buckets = 0, []
    for limit, count in zip((*map(str, telemetry.BUCKETS), "+Inf"), found.counts, strict=True):
        so_far += count
        buckets.append((limit, float(so_far)))
    return buckets


def _named(name: str) -> str:
    return PREFIX + name.replace(".", "_")


def _values(described: Described, labels: Mapping[str, Any]) -> list[str]:
    missing = OTHERS if "labels" in labels else ""
    return [labels.get(label, missing) for label in described.labels]


def exposition(collector: Any, accepted: str = "") -> Answer:
    """What a collector has to say, to who accepts these types: as OpenMetrics, or in Prometheus' own form."""
    try:
        encode, kind = choose_encoder(accepted)
    except (TypeError, ValueError):  # it cannot compare every version that somebody may ask for
        encode, kind = choose_encoder("")
    return Answer(200, encode(collector), kind)


def pages(standing: Callable[[], Standing]) -> dict[str, Page]:
    """``/metrics``; ``/healthz``, which says that the loop answers; and ``/readyz``, whether the service takes work."""

    async def metrics(accepted: str) -> Answer:
        return await asyncio.to_thread(exposition, Process.now(standing()), accepted)

    async def healthz(_: str) -> Answer:
        return said("ok")

    async def readyz(_: str) -> Answer:
        state = standing().state
        return said(state, well=state == "ready")

    return {"/metrics": metrics, "/healthz": healthz, "/readyz": readyz}
