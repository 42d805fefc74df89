"""The playbook: a real fleet is upgraded by it, gate by gate."""

from __future__ import annotations

import http.server
import json
import os
import re
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml

from midflight.upgrade.plan import STEPS
from tests.cli.conftest import fresh_process, midflight, street
from tests.cli.street import COMMAND, Street
from tests.cli.test_journey import freeze_both, replace
from tests.test_metrics import samples

__all__ = ["fresh_process", "midflight", "street"]

PLAYBOOK = Path(__file__).parents[2] / "contrib/ansible"
SETTINGS = PLAYBOOK / "settings.yml"

DEPLOY = """
- name: The test restarts it
  ansible.builtin.uri:
    url: "http://127.0.0.1:{{ deployer }}/{{ service }}/{{ inventory_hostname }}"
    method: POST
"""


@contextmanager
def deployer(street: Street) -> Iterator[tuple[int, list[str]]]:
    """Deploys kilo to whoever is named in a request; its port, and whom it was asked for."""
    asked: list[str] = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            asked.append(self.path)
            replace(street, *self.path.strip("/").split("/"))
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            """Nothing."""

    with http.server.HTTPServer(("127.0.0.1", 0), Handler) as server:
        serving = threading.Thread(target=server.serve_forever, args=(0.05,))
        serving.start()
        try:
            yield server.server_port, asked
        finally:
            server.shutdown()
            serving.join()


class Ansible:
    """Runs the playbook from a copy of it, with other settings."""

    def __init__(self, street: Street, port: int) -> None:
        self.folder = street.folder / "ansible"
        shutil.copytree(PLAYBOOK, self.folder)
        local = f"ansible_connection=local ansible_python_interpreter={sys.executable}"
        (self.folder / "inventory.ini").write_text(
            f"localhost {local}\n[control]\nc1 service=conductor {local}\n[agents]\nn1 service=shop {local}\n"
        )
        (self.folder / "deploy.yml").write_text(DEPLOY)
        settings = yaml.safe_load(SETTINGS.read_text())
        settings |= {"project": str(street.folder / "kilo"), "midflight": COMMAND, "soak": "1s", "deployer": port}
        (self.folder / "settings.yml").write_text(json.dumps(settings))
        home = street.folder / "home"
        self._environment = {
            **os.environ, "HOME": str(home), "ANSIBLE_LOCAL_TEMP": str(home), "ANSIBLE_NOCOLOR": "1",
            "ANSIBLE_PIPELINING": "1", "ANSIBLE_REMOTE_TEMP": str(home), "LC_ALL": "C.UTF-8",
            "MIDFLIGHT_DATABASE": street.url,
        }  # fmt: skip

    def play(self, *more: str) -> tuple[int, list[str], str]:
        """Its exit code, the tasks that were done, and all that it wrote."""
        command = [
            "ansible-playbook",
            "-i",
            "inventory.ini",
            "upgrade.yml",
            "-e",
            "release=kilo",
            "-e",
            "previous=juno",
        ]
        done = subprocess.run(
            [Path(sys.executable).with_name(command[0]), *command[1:], *more],
            cwd=self.folder, env=self._environment, capture_output=True, text=True, check=False,
        )  # fmt: skip
        tasks = re.findall(r"^TASK \[(.*?)\] \*+$", done.stdout, re.MULTILINE)
        return done.returncode, tasks, done.stdout + done.stderr


def test_a_fleet_is_upgraded_by_the_playbook(
    street: Street, monkeypatch: pytest.MonkeyPatch, postgresql_url: str
) -> None:
    """A gate that does not pass stops it before anything is deployed; then it goes all the way, in order, and through
    the one-way door only when that is named. It takes a while, since each of its tasks is a process of its own."""
    freeze_both(street)
    monkeypatch.setenv("MIDFLIGHT_DATABASE", street.url)
    assert street.midflight("juno", "db", "expand").code == 0
    for price in ["1.50"] * 12:
        street.rows("insert into items (price) values (?)", price)
    street.start("juno", "conductor", "c1")
    street.start("juno", "shop", "n1")
    street.members(2)
    with deployer(street) as (port, asked):
        ansible = Ansible(street, port)

        code, tasks, said = ansible.play("-e", "wait=0s")
        assert (code, tasks[-1], asked) == (2, "Gate schema", [])
        assert "never linted" in said

        assert street.midflight("kilo", "db", "lint", "--scratch", postgresql_url).code in (0, 1)
        code, tasks, said = ansible.play()
        assert code == 0, said
        gates = ["prepare", "schema", "pin", "control", "soak", "roll", "roll", "unpin", "data"]
        assert [task.removeprefix("Gate ") for task in tasks if task.startswith("Gate ")] == gates
        assert asked == ["/conductor/c1", "/shop/n1"]
        assert street.rows("select distinct price, cents from items") == [("1.50", 150)]
        assert street.rows("select form from mf_forms where form = 'new'") == []

        code, tasks, said = ansible.play("--tags", "finalize")
        assert (code, tasks) == (0, ["New forms only, from now on"]), said
    assert street.rows("select form from mf_forms") == [("new",)]
    assert street.midflight("kilo", "upgrade", "status").code == 0
    told = samples(street.midflight("kilo", "metrics").out)
    assert told["midflight_fleet_up{}"] == told["midflight_migration_proven{migration=prices_become_cents}"] == 1
    assert told["midflight_fleet_members{release=kilo,service=shop,state=active}"] == 1
    assert told["midflight_migration_form{form=new,migration=prices_become_cents}"] == 1


def test_the_playbook_asks_every_gate() -> None:
    """Of each step that has one to pass before the door; and it opens the door by the command that asks its own."""
    text = (PLAYBOOK / "upgrade.yml").read_text()
    assert [step.name for step in STEPS if f"step: {step.name}" not in text] == ["finalize"]
    assert "'upgrade', 'finalize'" in text
