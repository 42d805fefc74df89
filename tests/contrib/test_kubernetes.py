"""The manifests for Kubernetes: their probes are answered by a real service, and their commands are commands."""

from __future__ import annotations

import copy
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import kubernetes_validate
import msgspec
import pytest
import yaml
from cyclopts import App

from midflight.cli.app import build
from midflight.config import Config, Metrics
from midflight.upgrade.plan import STEPS
from tests.conductor.world import World
from tests.test_metrics import Asker

FOLDER = Path(__file__).parents[2] / "contrib/kubernetes"
PROBES = ("startupProbe", "livenessProbe", "readinessProbe")


def documents(*names: str) -> list[dict[str, Any]]:
    paths = [FOLDER / name for name in names] or sorted(FOLDER.glob("*.yaml"))
    return [document for path in paths for document in yaml.safe_load_all(path.read_text())]


def workloads(kind: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """By their names, the pods that the manifests of some kind ask for."""
    for document in documents():
        if document["kind"] == kind:
            yield document["metadata"]["name"], document["spec"]["template"]["spec"]


SERVICES = {
    name: pod for kind in ("Deployment", "DaemonSet") for name, pod in workloads(kind) if name != "midflight-metrics"
}
JOBS = dict(workloads("Job"))


def config(folder: Path) -> Config:
    """What the ConfigMap says."""
    path = folder / "midflight.toml"
    path.write_text(documents("config.yaml")[0]["data"]["midflight.toml"])
    return Config.load(path, {})


def test_each_file_holds_what_kubernetes_knows_by_one_name() -> None:
    """Every document is of an API, and no two have one kind and name."""
    named = [(each["apiVersion"], each["kind"], each["metadata"]["name"]) for each in documents()]
    assert len(named) == len(set(named)) > 15


@pytest.mark.parametrize("version", ["1.30", kubernetes_validate.latest_version()])
def test_each_is_as_its_schema(version: str) -> None:
    """By Kubernetes' own schemas, of an earlier version and of the newest: none has an unknown field."""
    for document in documents():
        kubernetes_validate.validate(document, version, strict=True)
        misspelt = copy.deepcopy(document)
        misspelt["metadata"]["label"] = {}
        with pytest.raises(kubernetes_validate.ValidationError, match="'label' was unexpected"):
            kubernetes_validate.validate(misspelt, version, strict=True)


async def test_the_probes_are_answered(tmp_path: Path) -> None:
    """By a service with the configuration that the manifests give it: at these paths, and on the port of that name."""
    given = config(tmp_path)
    _, _, port = str(given.metrics.listen).partition(":")
    local = msgspec.structs.replace(given.metrics, listen="127.0.0.1:0")
    assert isinstance(local, Metrics)
    asked = []
    async with World(tmp_path).running("conductor", metrics=local) as conductor:
        for pod in SERVICES.values():
            (container,) = pod["containers"]
            ports = {each["name"]: each["containerPort"] for each in container["ports"]}
            for probe in PROBES:
                wanted = container[probe]["httpGet"]
                assert ports[wanted["port"]] == int(port)
                status, _ = await Asker(conductor).get(wanted["path"])
                asked.append((probe, wanted["path"], status))
    expected = [
        ("startupProbe", "/healthz", 200),
        ("livenessProbe", "/healthz", 200),
        ("readinessProbe", "/readyz", 200),
    ]
    assert asked == expected * len(SERVICES)


def test_a_pod_has_more_time_to_stop_than_it_takes(tmp_path: Path) -> None:
    """What it waits before it is told to stop, and twice what it drains for."""
    drain = config(tmp_path).drain_seconds
    for pod in SERVICES.values():
        (container,) = pod["containers"]
        _, pause = container.get("lifecycle", {}).get("preStop", {}).get("exec", {}).get("command", ("sleep", "0"))
        assert pod["terminationGracePeriodSeconds"] >= float(pause) + 2 * drain


def test_only_who_opens_the_database_is_given_it() -> None:
    """The API, the conductors, and the Job that changes the schema: an agent with a database would refuse to start."""
    given = {
        name
        for name, pod in (SERVICES | JOBS).items()
        if "midflight-database" in str(pod["containers"][0].get("envFrom"))
    }
    assert given == {"api", "conductor", "act-expand"}


def _commands() -> Iterator[tuple[str, list[str]]]:
    pods = SERVICES | JOBS | dict(workloads("Deployment"))
    for name, pod in pods.items():
        container = pod["containers"][0]
        words = container.get("args") or container["command"]
        if words[0] == "sh":
            words = words[2].partition(";")[0].split()
        yield name, [str(word).replace("$(POD)", "pod-1").replace("$(NODE)", "node-1") for word in words]


COMMANDS = dict(_commands())


@pytest.mark.parametrize("name", COMMANDS)
def test_a_pod_runs_a_command_that_there_is(name: str) -> None:
    """With the options that it takes."""
    program, *arguments = COMMANDS[name]
    app: App = build()
    command, bound, _ = app.parse_args(arguments, print_error=False, exit_on_error=False)
    assert (program, callable(command)) == ("midflight", True)
    assert bound.arguments


def test_there_is_a_job_for_each_gate() -> None:
    """In the order of the steps, each with the label by which it is applied; the one-way door asks its own."""
    jobs = [(each["metadata"]["name"], each["metadata"]["labels"]["step"]) for each in documents("gates.yaml")]
    assert jobs == [(f"gate-{step.name}", step.name) for step in STEPS if step.name != "finalize"]
    for name, step in jobs:
        assert f"midflight upgrade check {step} " in JOBS[name]["containers"][0]["command"][2]


@pytest.mark.parametrize(("said", "ended"), [(0, 0), (1, 0), (2, 2), (4, 4), (64, 64), (75, 75)])
def test_a_job_ends_as_its_gate(said: int, ended: int, tmp_path: Path) -> None:
    """Warnings only let it complete; any other code is the container's, and a Job is tried once."""
    (tmp_path / "midflight").write_text(f"#!/bin/sh\nexit {said}\n")
    (tmp_path / "midflight").chmod(0o755)
    environment = {"PATH": f"{tmp_path}:{os.environ['PATH']}"}
    for document in documents("gates.yaml"):
        assert document["spec"]["backoffLimit"] == 0
        command = document["spec"]["template"]["spec"]["containers"][0]["command"]
        assert subprocess.run(command, env=environment, check=False).returncode == ended
